/** bentocache, in memory, with the options for outages and slow sources that its documentation shows together. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BentoCache, bentostore } from 'bentocache';
import { fileDriver } from 'bentocache/drivers/file';
import { memoryDriver } from 'bentocache/drivers/memory';
import type { Cache, Contender } from '../contender.ts';
import { HOUR } from '../probe.ts';
import type { Source } from '../truth.ts';

type Store = ReturnType<typeof bentostore>;

/**
 * Documentation, "Timeouts": "you can use both soft and hard timeouts at the same time", with these values.
 * The grace counts from the load, not from the expiry: it has to be longer than the ttl, or ends it.
 */
const forOutages = (ttl: number): object => ({
  grace: Math.max(6 * HOUR, 2 * ttl),
  timeout: '200ms',
  hardTimeout: '1s',
});

function create(store: Store, ttl: number, options: object = forOutages(ttl)): BentoCache<{ cache: Store }> {
  return new BentoCache({ default: 'cache', stores: { cache: store }, ttl, ...options });
}

function adapt(cache: BentoCache<{ cache: Store }>, source: Source): Cache {
  return {
    read: (key) => cache.getOrSet({ key, factory: () => source.one(key) }),
    readWithin: (key, hardTimeout) => cache.getOrSet({ key, factory: () => source.one(key), hardTimeout }),
    set: (key, value) => cache.set({ key, value }),
    forget: (key) => cache.delete({ key }),
    forgetAll: () => cache.clear(),
    close: () => cache.disconnectAll(),
  };
}

export const contender: Contender = {
  name: 'bentocache',
  package: 'bentocache',
  configuration:
    "memory driver, `getOrSet()` with `grace: '6h', timeout: '200ms', hardTimeout: '1s'` (documentation, \"Timeouts\"); `maxItems` or `maxSize` where a bound is asked for; the file driver as second level where one outlives it",
  absent: null,
  open: (source, { ttlMs, max }) =>
    adapt(create(bentostore().useL1Layer(memoryDriver(max === undefined ? {} : { maxItems: max })), ttlMs), source),
  openWeighed: (source, maxSize) => adapt(create(bentostore().useL1Layer(memoryDriver({ maxSize })), 60_000), source),
  openPlain: (source, ttl) => adapt(create(bentostore().useL1Layer(memoryDriver({})), ttl, {}), source),
  // Documentation, "Adaptive caching".
  openWithTtl: (source, ttlOf) => {
    const cache = create(bentostore().useL1Layer(memoryDriver({})), 60_000);
    const factory = async (key: string, setTtl: (ttl: number) => void): Promise<unknown> => {
      const value = await source.one(key);
      setTtl(ttlOf(value));
      return value;
    };
    return {
      ...adapt(cache, source),
      read: (key) => cache.getOrSet({ key, factory: ({ setTtl }) => factory(key, setTtl) }),
    };
  },
  // README, "Tagging".
  openTagged: (source) => {
    const cache = create(bentostore().useL1Layer(memoryDriver({})), 60_000);
    return {
      read: (key, tag) => cache.getOrSet({ key, factory: () => source.one(key), tags: [tag] }),
      forgetTag: (tag) => cache.deleteByTag({ tags: [tag] }),
      close: () => cache.disconnectAll(),
    };
  },
  openDurable: (source) => {
    const directory = mkdtempSync(join(tmpdir(), 'bentocache-'));
    const open = (): Cache =>
      adapt(
        create(
          bentostore()
            .useL1Layer(memoryDriver({}))
            .useL2Layer(fileDriver({ directory, pruneInterval: false })),
          60_000,
        ),
        source,
      );
    const first = open();
    return {
      first,
      restart: async () => open(),
      close: async () => {
        await first.close();
        rmSync(directory, { recursive: true });
      },
    };
  },
};
