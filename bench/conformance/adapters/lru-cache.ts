/** lru-cache: as the README configures it for fetching, and with the options that serve stale values. */
import { LRUCache } from 'lru-cache';
import type { Cache, Contender } from '../contender.ts';
import type { Source } from '../truth.ts';

// The package wants values to be objects; the kit has any.
type Options = LRUCache.Options<string, object, unknown>;

/** README, "Usage": `max: 500`, `ttl`, and `fetchMethod`. */
function create(source: Source, ttl: number, max = 500, options: Partial<Options> = {}): LRUCache<string, object> {
  const fetchMethod = (key: string): Promise<object> => source.one(key) as Promise<object>;
  return new LRUCache<string, object>({ max, ttl, fetchMethod, ...options });
}

function adapt(cache: LRUCache<string, object>): Cache {
  return {
    read: (key) => cache.fetch(key),
    // API documentation of `allowStaleOnFetchAbort`: "by passing AbortSignal.timeout(n) as the signal".
    readWithin: (key, ms) => cache.fetch(key, { signal: AbortSignal.timeout(ms) }),
    peek: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value as object),
    forget: (key) => cache.delete(key),
    forgetAll: () => cache.clear(),
    close: () => undefined,
  };
}

export const contender: Contender = {
  name: 'lru-cache',
  package: 'lru-cache',
  configuration:
    '`max: 500`, `ttl` and `fetchMethod` (README, "Usage"); `AbortSignal.timeout()` where a caller has a deadline; `maxSize` where a bound in bytes is asked for; `dump()` and `load()` where the entries outlive it',
  // README, "Storing Undefined Values": "This cache never stores undefined values".
  absent: null,
  open: (source, { ttlMs, max }) => adapt(create(source, ttlMs, max)),
  openPlain: (source, ttlMs) => adapt(create(source, ttlMs)),
  openWeighed: (source, maxSize) =>
    adapt(create(source, 60_000, 500, { maxSize, sizeCalculation: (value) => String(value).length })),
  // API documentation of FetcherOptions: the fetchMethod may set `options.ttl`.
  openWithTtl: (source, ttlOf) =>
    adapt(
      create(source, 60_000, 500, {
        fetchMethod: async (key, _stale, { options }) => {
          const value = (await source.one(key)) as object;
          options.ttl = ttlOf(value);
          return value;
        },
      }),
    ),
  openDurable: (source) => {
    const first = create(source, 60_000);
    return {
      first: adapt(first),
      restart: async () => {
        const next = create(source, 60_000);
        next.load(first.dump());
        return adapt(next);
      },
      close: () => undefined,
    };
  },
};

/** README, "Usage": fetchMethod is there "for stale-while-revalidate type of behavior"; these two make it that. */
const stale = { allowStale: true, allowStaleOnFetchRejection: true };

export const staleContender: Contender = {
  name: 'lru-cache (stale)',
  package: 'lru-cache',
  configuration:
    'the same with `allowStale` and `allowStaleOnFetchRejection`: what it offers for outages and slow sources',
  absent: null,
  open: (source, { ttlMs, max }) => adapt(create(source, ttlMs, max, stale)),
  openPlain: contender.openPlain,
};
