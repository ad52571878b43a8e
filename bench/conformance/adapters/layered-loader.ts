/** layered-loader, as its README's example of an in-memory cache with preemptive refresh. */
import { GroupLoader, Loader, type Cache as SecondTier } from 'layered-loader/core';
import type { Cache, Contender } from '../contender.ts';
import type { Row, Source } from '../truth.ts';

interface Options {
  readonly ttlMs: number;
  readonly max?: number;
  readonly asyncCache?: SecondTier<unknown>;
}

const inMemoryCache = ({ ttlMs, max = 100 }: Options) => ({
  // README, "Simplified loader syntax": `cacheType: 'lru-map'`, `maxItems: 100`.
  cacheType: 'lru-map' as const,
  maxItems: max,
  ttlInMsecs: ttlMs,
  // README, "Preemptive background refresh": 20 of 60 seconds.
  ttlLeftBeforeRefreshInMsecs: ttlMs / 3,
});

const keyOf = (value: unknown): string => (value as Row).id;

function create(source: Source, options: Options): Cache {
  const { asyncCache } = options;
  const loader = new Loader<unknown>({
    inMemoryCache: inMemoryCache(options),
    dataSourceGetOneFn: (key) => source.one(key),
    dataSourceGetManyFn: async (keys) => [...(await source.many(keys)).values()],
    // README, "Loader API": "Make sure to provide a real resolver if you are using the bulk API".
    cacheKeyFromValueResolver: keyOf,
    ...(asyncCache && { asyncCache }),
  });
  return {
    read: (key) => loader.get(key),
    readMany: async (keys) => new Map((await loader.getMany([...keys])).map((row) => [keyOf(row), row])),
    peek: (key) => loader.getInMemoryOnly(key),
    // README, "Forcing a specific value".
    set: (key, value) => loader.forceSetValue(key, value),
    forget: (key) => loader.invalidateCacheFor(key),
    forgetAll: () => loader.invalidateCache(),
    close: () => undefined,
  };
}

/** A Map that stands for the RedisCache of the README. */
function inMap(map: Map<string, unknown>): SecondTier<unknown> {
  return {
    expirationTimeLoadingOperation: new Loader<number>({ inMemoryCache: false, dataSources: [] }),
    get: async (key) => map.get(key),
    getMany: async () => ({ resolvedValues: [], unresolvedKeys: [] }),
    getExpirationTime: async () => undefined,
    set: async (key, value) => map.set(key, value),
    setMany: async (entries) => entries.map(({ key, value }) => map.set(key, value)),
    delete: async (key) => map.delete(key),
    deleteMany: async (keys) => keys.map((key) => map.delete(key)),
    clear: async () => map.clear(),
    close: async () => undefined,
  };
}

export const contender: Contender = {
  name: 'layered-loader',
  package: 'layered-loader',
  configuration:
    'in-memory `lru-map` of 100 items, refresh when a third of the ttl is left (README, "Simplified loader syntax", "Preemptive background refresh"); `maxItems` where a bound is asked for; groups where tags are; an async cache where one outlives it',
  // README, "Basic concepts": "`null` means value was successfully resolved, but it is empty - this will be cached".
  absent: null,
  open: create,
  // README, "Entrypoints".
  openPlain: (source, ttlMs) => {
    const loader = new Loader<unknown>({
      inMemoryCache: { ttlInMsecs: ttlMs },
      dataSourceGetOneFn: (key) => source.one(key),
    });
    return {
      read: (key) => loader.get(key),
      forget: (key) => loader.invalidateCacheFor(key),
      forgetAll: () => loader.invalidateCache(),
      close: () => undefined,
    };
  },
  // README, "Group operations".
  openTagged: (source) => {
    const loader = new GroupLoader<unknown>({
      inMemoryCache: inMemoryCache({ ttlMs: 60_000 }),
      dataSources: [{ name: 'rows', getFromGroup: (key) => source.one(key), getManyFromGroup: async () => [] }],
      cacheKeyFromValueResolver: keyOf,
    });
    return {
      read: (key, tag) => loader.get(key, tag),
      forgetTag: (tag) => loader.invalidateCacheForGroup(tag),
      close: () => undefined,
    };
  },
  openDurable: (source) => {
    const map = new Map<string, unknown>();
    const open = (): Cache => create(source, { ttlMs: 60_000, asyncCache: inMap(map) });
    return { first: open(), restart: async () => open(), close: () => undefined };
  },
};
