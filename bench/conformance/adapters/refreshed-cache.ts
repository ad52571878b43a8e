/** refreshed-cache: key by key as in its "Pattern A" and "B", the whole set as in its "Usage". */
import DataCache from 'refreshed-cache';
import type { Cache, Contender } from '../contender.ts';
import type { Source } from '../truth.ts';

type Options = NonNullable<ConstructorParameters<typeof DataCache<string, unknown>>[1]>;

const byKey = (source: Source): Options => ({
  fetchByKey: (key) => source.one(key),
  fetchByKeys: (keys) => source.many(keys),
});

function create(source: Source, options: Options): DataCache<string, unknown> {
  // Errors in the background go to the console otherwise.
  return new DataCache<string, unknown>(source.all, { ...options, onError: () => undefined });
}

function adapt(cache: DataCache<string, unknown>): Cache & { peek(key: string): unknown } {
  return {
    read: (key) => cache.getOrFetch(key),
    readMany: async (keys) => new Map(Object.entries(await cache.getOrFetchMany([...keys]))),
    peek: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    forget: (key) => cache.delete(key),
    forgetAll: () => cache.clear(),
    close: () => cache.close(),
  };
}

export const contender: Contender = {
  name: 'refreshed-cache',
  package: 'refreshed-cache',
  configuration:
    'key by key: `fetchByKey`, `fetchByKeys`, `maxAge` (README, "Pattern A", "B"); whole set: `init()`, `refreshAge`, and a `maxAge` of an hour, so that an outage is bridged (README: "Size `maxAge` so the hot set survives between refreshes")',
  // README, "Options": "return undefined when no data found".
  absent: undefined,
  // Without init(), as in "Pattern A": nothing is loaded whole.
  open: (source, { ttlMs, max = 10_000 }) => adapt(create(source, { max, maxAge: ttlMs / 1_000, ...byKey(source) })),
  openPlain: (source, ttlMs) => adapt(create(source, { maxAge: ttlMs / 1_000, ...byKey(source) })),
  openWholeSet: (source, { refreshMs, isValid, closedWorld = false }) => {
    const refreshAge = refreshMs / 1_000;
    const cache = create(source, {
      refreshAge,
      maxAge: Math.max(3_600, refreshAge),
      // Without these, what is not loaded is not there.
      ...(closedWorld ? {} : byKey(source)),
      ...(isValid && { checkValidity: (_key: string, value: unknown) => isValid(value) }),
    });
    return { ...adapt(cache), start: () => cache.init(), refresh: () => cache.asyncRefresh() };
  },
};
