/** cache-manager, as its README starts it: one store in memory, read through wrap(). */
import { createCache } from 'cache-manager';
// README, "Using CacheableMemory or lru-cache as storage adapter".
import { createKeyv, Keyv } from 'cacheable';
import type { Cache, Contender } from '../contender.ts';
import type { Source } from '../truth.ts';

function adapt(cache: ReturnType<typeof createCache>, source: Source, ttlOf?: (value: unknown) => number): Cache {
  return {
    read: (key) => cache.wrap(key, () => source.one(key), ttlOf),
    set: (key, value) => cache.set(key, value),
    forget: (key) => cache.del(key),
    forgetAll: () => cache.clear(),
    close: () => cache.disconnect(),
  };
}

/** README, "Quick start": `ttl: 10000, refreshThreshold: 3000`. */
const threshold = (ttlMs: number): number => ttlMs * 0.3;

export const contender: Contender = {
  name: 'cache-manager',
  package: 'cache-manager',
  configuration:
    '`createCache({ ttl, refreshThreshold })` with a threshold of 30 % and `wrap()` (README, "Quick start", "wrap"); `createKeyv({ lruSize })` where a bound is asked for; a second store where one outlives it',
  absent: null,
  open: (source, { ttlMs, max }) =>
    adapt(
      createCache({
        ttl: ttlMs,
        refreshThreshold: threshold(ttlMs),
        ...(max === undefined ? {} : { stores: [createKeyv({ ttl: ttlMs, lruSize: max })] }),
      }),
      source,
    ),
  openPlain: (source, ttl) => adapt(createCache({ ttl }), source),
  // README, "wrap": the ttl may be a function of the value.
  openWithTtl: (source, ttlOf) => adapt(createCache({ ttl: 60_000 }), source, ttlOf),
  // README, "Quick start": "layer 1 and layer 2 caching"; a Map stands for Redis.
  openDurable: (source) => {
    const store = new Map();
    const open = (): Cache =>
      adapt(
        createCache({ ttl: 60_000, stores: [createKeyv({ ttl: 60_000, lruSize: 5_000 }), new Keyv({ store })] }),
        source,
      );
    const first = open();
    return { first, restart: async () => open(), close: () => first.close() };
  },
};
