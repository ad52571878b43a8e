/** Which faults strike, and how often of so many. */
import type { Means } from '../means.ts';
import type { Extent } from '../settings.ts';
import { killedConnections } from './connections.ts';
import { crashOfPrimary, crashOfStandby } from './crash.ts';
import type { Fault } from './fault.ts';
import { freeze } from './freeze.ts';
import { lag } from './lag.ts';
import { crashOfPooler } from './pooler.ts';
import { lossyPromotion, promotion } from './promotion.ts';
import { prune } from './prune.ts';
import { restore, restoreOfDump } from './restore.ts';
import { schemaChange } from './schema-change.ts';
import { triggersOff } from './triggers-off.ts';

interface Card {
  readonly fault: Fault;
  readonly times: number;
  /** Also of a run that has a few seconds only. */
  readonly inShort?: boolean;
  readonly needs?: keyof Means;
}

const CARDS: readonly Card[] = [
  { fault: prune, times: 6, inShort: true },
  { fault: killedConnections, times: 4, inShort: true },
  { fault: freeze, times: 2, inShort: true },
  { fault: lag, times: 1 },
  { fault: schemaChange, times: 1, inShort: true },
  { fault: triggersOff, times: 3, inShort: true },
  { fault: crashOfPrimary, times: 1, inShort: true },
  { fault: crashOfStandby, times: 1 },
  { fault: crashOfPooler, times: 1, needs: 'pooler' },
  { fault: promotion, times: 1 },
  { fault: lossyPromotion, times: 1, inShort: true },
  { fault: restore, times: 1 },
  { fault: restoreOfDump, times: 1, needs: 'dump' },
];

/** The faults of a run, each as often as it comes before all of them come again. */
export function faultsFor(means: Means, extent: Extent): readonly Fault[] {
  const possible = CARDS.filter(
    ({ needs, inShort }) => (needs === undefined || means[needs]) && (inShort || extent !== 'short'),
  );
  return possible.flatMap(({ fault, times }) =>
    Array<Fault>(extent === 'long' ? times : Math.min(times, 2)).fill(fault),
  );
}
