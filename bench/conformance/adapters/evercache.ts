/** evercache, as its README starts it. */
import { type StandardSchema, type TTLCacheOptions, TTLCacheService } from 'evercache';
import type { Cache, Contender, WholeSetSetting } from '../contender.ts';
import type { Source } from '../truth.ts';

const byKey = ({ one, many }: Source): { fetchOne: Source['one']; fetchMany: Source['many'] } => ({
  fetchOne: (key) => one(key),
  fetchMany: (keys) => many(keys),
});

function create(options: Omit<TTLCacheOptions<unknown>, 'name'>): TTLCacheService<unknown> {
  return new TTLCacheService<unknown>({ name: 'rows', ...options } as TTLCacheOptions<unknown>);
}

function adapt(cache: TTLCacheService<unknown>): Cache & { peek(key: string): unknown } {
  return {
    read: (key) => cache.fetch(key),
    readMany: (keys) => cache.fetchMany(keys),
    readWithin: (key, timeout) => cache.fetch(key, { timeout }),
    peek: (key) => cache.get(key),
    forget: (key) => cache.invalidate(key),
    forgetAll: () => cache.invalidateAll(),
    close: () => cache.stop(),
  };
}

function schemaOf(isValid: NonNullable<WholeSetSetting['isValid']>): StandardSchema<unknown> {
  return {
    '~standard': {
      version: 1,
      vendor: 'conformance',
      validate: (value: unknown) => (isValid(value) ? { value } : { issues: [{ message: 'invalid' }] }),
    },
  };
}

export const contender: Contender = {
  name: 'evercache',
  package: 'evercache',
  configuration:
    '`ttl`, and everything else as it comes (README, "Put it before your own table"); whole set: `refreshInterval` and twice that as `ttl`; `maxEntries`, `schema` and `closedWorld` where a bound, a check of rows and a closed world are asked for',
  absent: undefined,
  open: (source, { ttlMs, max }) =>
    adapt(create({ source: byKey(source), ttl: ttlMs, ...(max !== undefined && { maxEntries: max }) })),
  openPlain: (source, ttl) => adapt(create({ source: byKey(source), ttl })),
  openWholeSet: (source, { refreshMs, isValid, closedWorld }) => {
    const cache = create({
      source: { fetchAll: source.all, ...byKey(source) },
      refreshInterval: refreshMs,
      ttl: 2 * refreshMs,
      ...(isValid && { schema: schemaOf(isValid) }),
      ...(closedWorld && { closedWorld }),
    });
    return { ...adapt(cache), start: () => cache.start(), refresh: () => cache.refresh() };
  },
};
