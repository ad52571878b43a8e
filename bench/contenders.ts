/**
 * Who is measured, each filled and read as its own documentation advises: with a ttl where it has one, with room for
 * everything. `read` is the source text of one read of `key`, so that each contender gets a loop of its own, compiled for
 * it alone.
 */
import { TTLCache } from '@isaacs/ttlcache';
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache as createCacheManager } from 'cache-manager';
import { Cacheable } from 'cacheable';
import { TTLCacheService } from 'evercache';
import Keyv from 'keyv';
import { Loader } from 'layered-loader/core';
import { createLRU } from 'lru.min';
import { LRUCache } from 'lru-cache';
import memoizee from 'memoizee';
import { LRUMap } from 'mnemonist';
import NodeCache from 'node-cache';
import pMemoize from 'p-memoize';
import QuickLRU from 'quick-lru';
import DataCache from 'refreshed-cache';
import { lru as tinyLru } from 'tiny-lru';
import { LruMap } from 'toad-cache';
import { inOutage, rowBeforeOutage, rowInOutage, withWrongRow } from './reads/states.ts';

export type Entries = readonly (readonly [string, object])[];
type Load = (key: string) => Promise<object>;

export interface Contender {
  /** The npm package; `undefined`: part of the language. */
  readonly package: string | undefined;
  /** Filled with these entries. */
  readonly open: (entries: Entries) => object | Promise<object>;
  /** One synchronous read of `key` from `cache`, as source text; `undefined`: it has none. */
  readonly read?: string;
  /** One read that may wait. */
  readonly readAsync?: string;
  /** Asks `load` for what is not there: a read that may wait, as a function. */
  readonly openLoading?: (load: Load, size: number) => (key: string) => Promise<unknown>;
}

const HOUR = 3_600_000;

function filled<C extends { set(key: string, value: object): unknown }>(cache: C, entries: Entries): C {
  for (const [key, value] of entries) cache.set(key, value);
  return cache;
}

async function loaded<C>(cache: C, read: (cache: C, key: string) => Promise<unknown>, entries: Entries): Promise<C> {
  for (const [key] of entries) await read(cache, key);
  return cache;
}

/** Gives each row once and keeps none: what the source holds is not to be counted as the cache's. */
const loader = (entries: Entries): Load => {
  const rows = new Map(entries);
  return async (key) => {
    const row = rows.get(key)!;
    rows.delete(key);
    return row;
  };
};

const snapshotCache = (entries: Entries): TTLCacheService<object> =>
  new TTLCacheService<object>({ name: 'bench', source: { fetchAll: async () => entries }, ttl: '1h' });

const onDemandCache = (load: Load, maxEntries: number): TTLCacheService<object> =>
  new TTLCacheService<object>({ name: 'bench', source: { fetchOne: load }, ttl: '1h', maxEntries });

async function started(cache: TTLCacheService<object>): Promise<TTLCacheService<object>> {
  await cache.start();
  return cache;
}

export const contenders = {
  Map: { package: undefined, open: (entries) => new Map(entries), read: 'cache.get(key)', readAsync: 'cache.get(key)' },
  evercache: {
    package: 'evercache',
    open: (entries) => started(snapshotCache(entries)),
    read: 'cache.get(key)',
    readAsync: 'cache.fetch(key)',
  },
  'evercache, one by one': {
    package: 'evercache',
    open: async (entries) => {
      const cache = await started(onDemandCache(loader(entries), entries.length + 1));
      for (const [key] of entries) await cache.fetch(key);
      return cache;
    },
    read: 'cache.get(key)',
    readAsync: 'cache.fetch(key)',
    openLoading: (load, size) => {
      const cache = onDemandCache(load, size);
      return (key) => cache.fetch(key);
    },
  },
  'evercache, in an outage': { package: 'evercache', open: inOutage, read: 'cache.get(key)' },
  'evercache, one row fetched before the outage': {
    package: 'evercache',
    open: rowBeforeOutage,
    read: 'cache.get(key)',
  },
  'evercache, one row fetched in the outage': {
    package: 'evercache',
    open: rowInOutage,
    read: 'cache.get(key)',
  },
  'evercache, one row wrong': { package: 'evercache', open: withWrongRow, read: 'cache.get(key)' },
  'lru-cache': {
    package: 'lru-cache',
    open: (entries) => {
      // Without a way to fetch, its `fetch` is a `get`.
      const fetchMethod = async (): Promise<undefined> => undefined;
      return filled(new LRUCache<string, object>({ max: entries.length, ttl: HOUR, fetchMethod }), entries);
    },
    read: 'cache.get(key)',
    readAsync: 'cache.fetch(key)',
    openLoading: (load, size) => {
      const cache = new LRUCache<string, object>({ max: size, ttl: HOUR, fetchMethod: (key) => load(key) });
      return (key) => cache.fetch(key);
    },
  },
  '@isaacs/ttlcache': {
    package: '@isaacs/ttlcache',
    open: (entries) => filled(new TTLCache<string, object>({ max: entries.length, ttl: HOUR }), entries),
    read: 'cache.get(key)',
  },
  'lru.min': {
    package: 'lru.min',
    open: (entries) => filled(createLRU<string, object>({ max: entries.length }), entries),
    read: 'cache.get(key)',
  },
  'toad-cache': {
    package: 'toad-cache',
    open: (entries) => filled(new LruMap<object>(entries.length, HOUR), entries),
    read: 'cache.get(key)',
  },
  'tiny-lru': {
    package: 'tiny-lru',
    open: (entries) => filled(tinyLru<object>(entries.length, HOUR), entries),
    read: 'cache.get(key)',
  },
  'quick-lru': {
    package: 'quick-lru',
    open: (entries) => filled(new QuickLRU<string, object>({ maxSize: entries.length + 1, maxAge: HOUR }), entries),
    read: 'cache.get(key)',
  },
  mnemonist: {
    package: 'mnemonist',
    open: (entries) => filled(new LRUMap<string, object>(entries.length), entries),
    read: 'cache.get(key)',
  },
  'node-cache': {
    package: 'node-cache',
    // As its documentation advises who wants performance: a hit is no copy.
    open: (entries) => filled(new NodeCache({ stdTTL: HOUR / 1000, useClones: false }), entries),
    read: 'cache.get(key)',
  },
  memoizee: {
    package: 'memoizee',
    open: (entries) => {
      const rows = new Map(entries);
      const read = memoizee((key: string) => rows.get(key)!, { primitive: true, maxAge: HOUR });
      for (const [key] of entries) read(key);
      return { read };
    },
    read: 'cache.read(key)',
    openLoading: (load) => memoizee((key: string) => load(key), { primitive: true, promise: true, maxAge: HOUR }),
  },
  'layered-loader': {
    package: 'layered-loader',
    open: (entries) =>
      loaded(
        new Loader<object>({
          inMemoryCache: { cacheType: 'lru-map', maxItems: entries.length, ttlInMsecs: HOUR },
          dataSourceGetOneFn: loader(entries),
        }),
        (cache, key) => cache.get(key),
        entries,
      ),
    read: 'cache.getInMemoryOnly(key)',
    readAsync: 'cache.get(key)',
    openLoading: (load, size) => {
      const inMemoryCache = { cacheType: 'lru-map', maxItems: size, ttlInMsecs: HOUR } as const;
      const cache = new Loader<object>({ inMemoryCache, dataSourceGetOneFn: load });
      return (key) => cache.get(key);
    },
  },
  'refreshed-cache': {
    package: 'refreshed-cache',
    open: async (entries) => {
      const cache = new DataCache<string, object>(async () => new Map(entries), { max: entries.length, maxAge: 3600 });
      await cache.init();
      return cache;
    },
    read: 'cache.get(key)',
    readAsync: 'cache.getOrFetch(key)',
    openLoading: (load, max) => {
      const options = { max, maxAge: 3600, fetchByKey: load };
      const cache = new DataCache<string, object>(async () => new Map(), options);
      return (key) => cache.getOrFetch(key);
    },
  },
  cacheable: {
    package: 'cacheable',
    open: async (entries) => {
      const cache = new Cacheable({ ttl: HOUR });
      for (const [key, value] of entries) await cache.set(key, value);
      return cache;
    },
    readAsync: 'cache.get(key)',
    openLoading: (load) => {
      const cache = new Cacheable({ ttl: HOUR });
      return (key) => cache.getOrSet(key, () => load(key));
    },
  },
  'cache-manager': {
    package: 'cache-manager',
    open: async (entries) => {
      const cache = createCacheManager({ ttl: HOUR });
      for (const [key, value] of entries) await cache.set(key, value);
      return cache;
    },
    readAsync: 'cache.get(key)',
    openLoading: (load) => {
      const cache = createCacheManager({ ttl: HOUR });
      return (key) => cache.wrap(key, () => load(key));
    },
  },
  keyv: {
    package: 'keyv',
    open: async (entries) => {
      const cache = new Keyv({ ttl: HOUR });
      for (const [key, value] of entries) await cache.set(key, value);
      return cache;
    },
    readAsync: 'cache.get(key)',
  },
  bentocache: {
    package: 'bentocache',
    open: async (entries) => {
      const store = bentostore().useL1Layer(memoryDriver({ maxItems: entries.length }));
      const cache = new BentoCache({ default: 'cache', stores: { cache: store }, ttl: HOUR });
      for (const [key, value] of entries) await cache.set({ key, value });
      return cache;
    },
    readAsync: 'cache.get({ key })',
    openLoading: (load) => {
      const store = bentostore().useL1Layer(memoryDriver({}));
      const cache = new BentoCache({ default: 'cache', stores: { cache: store }, ttl: HOUR });
      return (key) => cache.getOrSet({ key, factory: () => load(key) });
    },
  },
  'async-cache-dedupe': {
    package: 'async-cache-dedupe',
    open: (entries) =>
      loaded(
        createDedupe({ ttl: 3600, storage: { type: 'memory', options: { size: entries.length } } }).define(
          'load',
          loader(entries),
        ),
        (cache, key) => cache.load(key),
        entries,
      ),
    readAsync: 'cache.load(key)',
    openLoading: (load, size) => {
      const storage = { type: 'memory', options: { size } } as const;
      const cache = createDedupe({ ttl: 3600, storage }).define('load', load);
      return (key) => cache.load(key);
    },
  },
  'p-memoize': {
    package: 'p-memoize',
    open: async (entries) => {
      const read = pMemoize(loader(entries));
      for (const [key] of entries) await read(key);
      return { read };
    },
    readAsync: 'cache.read(key)',
    openLoading: (load) => pMemoize((key: string) => load(key)),
  },
} as const satisfies Record<string, Contender>;

export type ContenderName = keyof typeof contenders;

export function contenderOf(name: ContenderName): Contender {
  return contenders[name];
}

export function namesWith(ability: 'read' | 'readAsync' | 'openLoading'): ContenderName[] {
  return (Object.keys(contenders) as ContenderName[]).filter((name) => ability in contenders[name]);
}

/** The packages of all of them. */
export function packages(): string[] {
  const names = Object.values(contenders as Record<string, Contender>).flatMap(({ package: name }) => name ?? []);
  return [...new Set(names)];
}
