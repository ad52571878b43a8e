/** Several caches that start and stop together. */
import type { Cache } from './cache.ts';
import { describe } from './describe.ts';
import type { CacheStats } from './status.ts';

/** What a registry holds: a cache of any kind. */
export type AnyCache = Cache<unknown>;

export class CacheRegistry implements Iterable<AnyCache> {
  readonly #caches = new Map<string, AnyCache>();

  /**
   * Adds a cache under its name and returns it.
   * @throws TypeError where it is no cache, or the name is taken.
   */
  register<C extends AnyCache>(cache: C): C {
    if (!isCache(cache)) {
      throw new TypeError(
        `CacheRegistry: expected a cache, with a name, start(), stop() and stats(), got ${describe(cache)}`,
      );
    }
    if (this.#caches.has(cache.name)) {
      throw new TypeError(`CacheRegistry: expected every cache to have a name of its own, got "${cache.name}" twice`);
    }
    this.#caches.set(cache.name, cache);
    return cache;
  }

  /** The cache of this name. */
  get(name: string): AnyCache | undefined {
    return this.#caches.get(name);
  }

  /**
   * Starts all caches at once and waits for their first attempts.
   * @throws the first failure of a cache with `onStartFailure: 'throw'`, when all attempts have ended.
   */
  async startAll(): Promise<void> {
    await all([...this].map((cache) => cache.start()));
  }

  /** Stops all caches. */
  async stopAll(): Promise<void> {
    await all([...this].map((cache) => cache.stop()));
  }

  /** The statistics of each cache, by name. */
  stats(): Record<string, CacheStats> {
    return Object.fromEntries([...this].map((cache) => [cache.name, cache.stats()]));
  }

  [Symbol.iterator](): Iterator<AnyCache> {
    return this.#caches.values();
  }
}

/** As far as a registry needs it to be one. */
function isCache(given: Partial<AnyCache> | null | undefined): boolean {
  if (typeof given?.name !== 'string' || given.name === '') return false;
  return [given.start, given.stop, given.stats].every((method) => typeof method === 'function');
}

async function all(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
