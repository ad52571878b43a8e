/** cacheable, as its README starts it: in memory, read through getOrSet(). */
import { Cacheable, CacheableHooks, createKeyv, type GetOrSetFunctionOptions, Keyv } from 'cacheable';
import type { Cache, Contender } from '../contender.ts';
import type { Source } from '../truth.ts';

/** README, "Get Or Set Memoization Function": without `throwErrors` a failure is `undefined`. */
const throwErrors = { throwErrors: true };

function adapt(cache: Cacheable, source: Source, options: GetOrSetFunctionOptions = throwErrors): Cache {
  return {
    read: (key) => cache.getOrSet(key, () => source.one(key), options),
    set: (key, value) => cache.set(key, value),
    forget: (key) => cache.delete(key),
    forgetAll: () => cache.clear(),
    close: () => cache.disconnect(),
  };
}

export const contender: Contender = {
  name: 'cacheable',
  package: 'cacheable',
  configuration:
    '`new Cacheable({ ttl })` and `getOrSet()` (README, "Basic Usage", "GetOrSet") with `throwErrors: true`, which is off as it comes; `lruSize` where a bound is asked for; `tags: true` where tags are; a second store where one outlives it',
  absent: null,
  open: (source, { ttlMs, max }) =>
    adapt(
      max === undefined
        ? new Cacheable({ ttl: ttlMs })
        : new Cacheable({ ttl: ttlMs, primary: createKeyv({ ttl: ttlMs, lruSize: max }) }),
      source,
    ),
  openPlain: (source, ttl) => adapt(new Cacheable({ ttl }), source, {}),
  // README, "Overriding the TTL in a BEFORE_SET Hook".
  openWithTtl: (source, ttlOf) => {
    const cache = new Cacheable({ ttl: 60_000 });
    cache.onHook(CacheableHooks.BEFORE_SET, (data) => {
      data.ttl = ttlOf(data.value);
    });
    return adapt(cache, source);
  },
  // README, "Tag Based Invalidation": set() takes the tags, getOrSet() does not.
  openTagged: (source) => {
    const cache = new Cacheable({ ttl: 60_000, tags: true });
    return {
      read: async (key, tag) => {
        const held = await cache.get(key);
        if (held !== undefined) return held;
        const value = await source.one(key);
        await cache.set(key, value, { tags: [tag] });
        return value;
      },
      forgetTag: (tag) => cache.tags.invalidateTag(tag),
      close: () => cache.disconnect(),
    };
  },
  // README, "Storage Tiering and Caching"; a Map stands for Redis.
  openDurable: (source) => {
    const store = new Map();
    const open = (): Cache => adapt(new Cacheable({ ttl: 60_000, secondary: new Keyv({ store }) }), source);
    const first = open();
    return { first, restart: async () => open(), close: () => first.close() };
  },
};
