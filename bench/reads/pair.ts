/** What a pair is asked to measure, and its process as seen from outside. */
import type { ContenderName } from '../contenders.ts';
import { runProcess } from '../run-process.ts';

/** How many keys `many` reads at once. */
export const BATCH = 100;

/** How `getMany` reads them. */
export const MANY_AT_ONCE =
  'for (let i = from; i < to; i += 1) { const values = cache.getMany(keys[i]); for (let j = 0; j < 100; j += 1) sum += values[j].id; }';

const EACH = 'for (let i = from; i < to; i += 1) {';

/** How one turn reads; READ is the contender's way to read `key`. */
export const loops = {
  hit: { body: `${EACH} const key = keys[i]; sum += (READ).id; }`, isAsync: false },
  'made anew': { body: `${EACH} const key = 'item:' + keys[i]; sum += (READ).id; }`, isAsync: false },
  awaited: { body: `${EACH} const key = keys[i]; sum += (await READ).id; }`, isAsync: true },
  many: {
    body: `${EACH} const batch = keys[i]; for (let j = 0; j < 100; j += 1) { const key = batch[j]; sum += (READ).id; } }`,
    isAsync: false,
  },
} as const;

export type Loop = keyof typeof loops;

export interface PairPlan {
  readonly loop: Loop;
  readonly contender: ContenderName;
  readonly baseline: ContenderName;
  readonly keys: number;
  readonly rounds: number;
  /** Who is filled first changes with it. */
  readonly order: number;
}

export interface PairResult {
  readonly ns: number;
  readonly baselineNs: number;
  /** Median over the rounds of contender / baseline. */
  readonly ratio: number;
}

export function measurePair(plan: PairPlan): Promise<PairResult> {
  return runProcess(new URL('pair-process.ts', import.meta.url), [JSON.stringify(plan)]);
}
