/** Which faults strike, and how often of so many. */
import { killedConnections } from './connections.ts';
import { crashOfPrimary, crashOfStandby } from './crash.ts';
import type { Fault } from './fault.ts';
import { freeze } from './freeze.ts';
import { lag } from './lag.ts';
import { lossyPromotion, promotion } from './promotion.ts';
import { prune } from './prune.ts';
import { restore } from './restore.ts';
import { schemaChange } from './schema-change.ts';

const CARDS: readonly (readonly [number, Fault])[] = [
  [6, prune],
  [4, killedConnections],
  [2, freeze],
  [1, lag],
  [1, schemaChange],
  [1, crashOfPrimary],
  [1, crashOfStandby],
  [1, promotion],
  [1, lossyPromotion],
  [1, restore],
];

export const FAULTS: readonly Fault[] = CARDS.flatMap(([count, fault]) => Array<Fault>(count).fill(fault));
