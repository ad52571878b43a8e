/** Every probe, in the order in which the scoreboard shows them. */
import type { ProbeGroup } from './probe.ts';
import { abilities } from './probes/abilities.ts';
import { absent } from './probes/absent.ts';
import { clocks } from './probes/clocks.ts';
import { flights } from './probes/flights.ts';
import { hangs } from './probes/hangs.ts';
import { invalidation } from './probes/invalidation.ts';
import { life } from './probes/life.ts';
import { outages } from './probes/outages.ts';
import { plain } from './probes/plain.ts';
import { refreshing } from './probes/refreshing.ts';
import { room } from './probes/room.ts';
import { values } from './probes/values.ts';
import { wholeSet } from './probes/whole-set.ts';

export const probeGroups: readonly ProbeGroup[] = [
  invalidation,
  flights,
  outages,
  hangs,
  clocks,
  values,
  absent,
  room,
  plain,
  wholeSet,
  refreshing,
  life,
  abilities,
];
