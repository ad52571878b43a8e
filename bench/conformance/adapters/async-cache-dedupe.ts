/** async-cache-dedupe, as its README's example: memory storage, a defined function, ttl and stale of the same length. */
import { createCache, StorageInterface } from 'async-cache-dedupe';
import type { Cache, Contender } from '../contender.ts';
import type { Source } from '../truth.ts';

type Options = NonNullable<Parameters<typeof createCache>[0]>;

function create(source: Source, options: Options): Cache {
  const cache = createCache(options).define('load', (key: string) => source.one(key));
  return {
    read: (key) => cache.load(key),
    forget: (key) => cache.clear('load', key),
    forgetAll: () => cache.clear(),
    close: () => undefined,
  };
}

/** In seconds. README, "Example": `ttl: 5, stale: 5`. */
const ages = (ttlMs: number): Options => ({ ttl: ttlMs / 1_000, stale: ttlMs / 1_000 });

interface Entry {
  readonly value: unknown;
  readonly endsAt: number;
}

/** README, "Custom storage"; a Map stands for Redis. */
class MapStorage extends StorageInterface {
  readonly #entries: Map<string, Entry>;
  constructor(entries: Map<string, Entry>) {
    super({});
    this.#entries = entries;
  }
  override async get(key: string): Promise<unknown> {
    return this.#entries.get(key)?.value;
  }
  override async set(key: string, value: unknown, ttl: number): Promise<void> {
    this.#entries.set(key, { value, endsAt: Date.now() + ttl * 1_000 });
  }
  // The types of the package say that it resolves to nothing, its README that it is the remaining time in seconds.
  override async getTTL(key: string): Promise<void> {
    const endsAt = this.#entries.get(key)?.endsAt ?? 0;
    return Math.max(0, (endsAt - Date.now()) / 1_000) as unknown as undefined;
  }
}

export const contender: Contender = {
  name: 'async-cache-dedupe',
  package: 'async-cache-dedupe',
  configuration:
    '`createCache({ ttl, stale })` with both of the same length and memory storage (README, "Example"); `size` where a bound is asked for; references where tags are; a custom storage where one outlives it',
  absent: null,
  open: (source, { ttlMs, max }) =>
    create(source, {
      ...ages(ttlMs),
      storage: { type: 'memory', ...(max !== undefined && { options: { size: max } }) },
    }),
  openPlain: (source, ttlMs) => create(source, { ttl: ttlMs / 1_000 }),
  // README, "cache.define", example 2.
  openWithTtl: (source, ttlOf) => create(source, { ttl: (value) => ttlOf(value) / 1_000 }),
  // README, "Invalidation": references, enabled in the storage.
  openTagged: (source) => {
    const cache = createCache({ ttl: 60, storage: { type: 'memory', options: { invalidation: true } } }).define(
      'load',
      { references: ({ tag }) => [tag] },
      ({ key }: { key: string; tag: string }) => source.one(key),
    );
    return {
      read: (key, tag) => cache.load({ key, tag }),
      forgetTag: (tag) => cache.invalidateAll(tag),
      close: () => undefined,
    };
  },
  openDurable: (source) => {
    const entries = new Map<string, Entry>();
    const open = (): Cache =>
      create(source, { ...ages(60_000), storage: { type: 'custom', options: { storage: new MapStorage(entries) } } });
    return { first: open(), restart: async () => open(), close: () => undefined };
  },
};
