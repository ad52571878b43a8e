/** How much a cache holds, found out by reading. */
import type { Cache } from '../contender.ts';
import { attempt, type Lab } from '../probe.ts';

/** How many of these keys are held: those that can be read again without a call, the last one first. */
export async function countHeld({ truth }: Lab, cache: Cache, keys: readonly string[]): Promise<number> {
  const before = truth.count();
  for (const key of keys.toReversed()) await attempt(() => cache.read(key));
  return keys.length - (truth.count() - before);
}
