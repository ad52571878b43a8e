/** Bounded concurrency, for sources that can only be asked for one key at a time. */
import { CacheError } from './errors.ts';

/** A source that has only `fetchOne` is asked for this many keys at a time. */
export const SINGLE_CALLS_AT_A_TIME = 16;

const otherLimits = new WeakMap<object, number>();

/** For the exploration: its few keys would never wait for each other. */
export function limitSingleCalls(source: object, limit: number): void {
  otherLimits.set(source, limit);
}

export function singleCallsAtATime(source: object): number {
  return otherLimits.get(source) ?? SINGLE_CALLS_AT_A_TIME;
}

/** Runs `work`, which must not fail, for each item: at most `limit` at a time. */
export async function eachLimited<I>(
  items: readonly I[],
  limit: number,
  work: (item: I) => Promise<void> | undefined,
): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}

/**
 * Runs `work` for each item and answers with the failures. One item goes alone until one has succeeded: where the
 * source is down, single calls find out; where the breaker waits, the first is its probe. Nothing more is begun once
 * the breaker is open or the cache is stopped.
 */
export async function inWaves<I>(
  items: readonly I[],
  limit: number,
  work: (item: I) => Promise<void>,
): Promise<unknown[]> {
  const failures: unknown[] = [];
  let next = 0;
  let size = 1;
  while (next < items.length) {
    const ended = await Promise.allSettled(items.slice(next, next + size).map(work));
    next += size;
    const failed = ended.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
    failures.push(...failed);
    if (failed.some(isFinal)) break;
    size = failed.length < ended.length ? limit : 1;
  }
  return failures;
}

function isFinal(error: unknown): boolean {
  return CacheError.isInstance(error) && (error.code === 'breaker-open' || error.code === 'stopped');
}
