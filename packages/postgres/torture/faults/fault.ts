/** Something that goes wrong, or an operator does: one file of this folder for each. */
import type { Chance } from '../chance.ts';
import type { Cluster } from '../cluster.ts';
import type { Gate } from '../gate.ts';
import type { History } from '../history.ts';
import type { Tally } from '../tally.ts';

/** What a fault may lay its hands on. */
export interface World {
  readonly cluster: Cluster;
  readonly chance: Chance;
  readonly gate: Gate;
  readonly history: History;
  readonly tally: Tally;
}

export interface Fault {
  readonly name: string;
  /** Resolves when everything runs again. */
  strike(world: World): Promise<void>;
}
