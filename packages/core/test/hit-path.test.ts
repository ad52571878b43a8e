import { describe, expect, test } from 'vitest';
import type { TTLCacheService } from '../src/index.ts';
import type { StandardSchema } from '../src/schema.ts';
import { load, type SetUp, setUp } from './support/set-up.ts';

const rows = [
  ['a', 'a'],
  ['b', 'b'],
] as const;

/** Loaded, and since then a minute of an outage. */
async function inOutage(): Promise<SetUp<string>> {
  const set = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows, ttl: '1m', refreshInterval: '30s' });
  await load(set);
  set.source.behave((_, method) => (method === 'fetchAll' ? 'fail' : 'answer'));
  await set.clock.advance('61s');
  return set;
}

/** What the reads of `a`, `b` and a key that there is not count as: hits, stale ones among them, misses. */
function counted(cache: TTLCacheService<string>, read: (keys: readonly string[]) => unknown): number[] {
  const before = cache.stats();
  expect(read(['a', 'b', 'missing'])).toEqual(['a', 'b', undefined]);
  const after = cache.stats();
  return (['hits', 'staleHits', 'misses'] as const).map((name) => after[name] - before[name]);
}

describe.each(['get', 'getMany'] as const)('%s', (method) => {
  const reader = (cache: TTLCacheService<string>) => (keys: readonly string[]) =>
    method === 'get' ? keys.map((key) => cache.get(key)) : cache.getMany(keys);

  test('counts no stale hit while everything is fresh', async () => {
    const set = setUp<string>({ rows });
    await load(set);
    expect(counted(set.cache, reader(set.cache))).toEqual([2, 0, 1]);
  });

  test('counts every hit as stale while everything is stale', async () => {
    const { cache } = await inOutage();
    expect(counted(cache, reader(cache))).toEqual([2, 2, 1]);
  });

  test('counts what is fresh and what is stale while there are both', async () => {
    const { cache } = await inOutage();
    expect(await cache.fetch('a', { fresh: true })).toBe('a');
    expect(counted(cache, reader(cache))).toEqual([2, 1, 1]);
  });

  test('counts every hit as stale where a row that was fetched singly is stale like all others', async () => {
    const set = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows, ttl: '1m', refreshInterval: '30s' });
    await load(set);
    await set.cache.fetch('a', { fresh: true });
    set.source.behave('fail');
    await set.clock.advance('61s');
    expect(counted(set.cache, reader(set.cache))).toEqual([2, 2, 1]);
  });

  test('counts what is stale where rows are fetched one by one', async () => {
    const set = setUp<string>({ methods: ['fetchOne'], rows, ttl: '1m' });
    await load(set);
    await set.clock.advance('30s');
    await set.cache.fetch('b', { fresh: true });
    set.source.behave('fail');
    await set.clock.advance('31s');
    expect(await set.cache.fetch('a')).toBe('a');
    expect(counted(set.cache, reader(set.cache))).toEqual([2, 1, 1]);
    await set.clock.advance('30s');
    expect(counted(set.cache, reader(set.cache))).toEqual([2, 2, 1]);
  });

  test('counts the last good value of a row that is wrong as stale, and no other', async () => {
    const schema: StandardSchema<string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => (value === 'wrong' ? { issues: [{ message: 'wrong' }] } : { value: value as string }),
      },
    };
    const set = setUp<string>({ rows, schema, ttl: '1m', refreshInterval: '30s' });
    await load(set);
    set.source.rows.set('a', 'wrong');
    await set.clock.advance('61s');
    expect(counted(set.cache, reader(set.cache))).toEqual([2, 1, 1]);
  });

  test('counts no stale hit any more when the source is back', async () => {
    const { cache, source } = await inOutage();
    await cache.fetch('a', { fresh: true });
    source.behave('answer');
    await cache.refresh();
    expect(counted(cache, reader(cache))).toEqual([2, 0, 1]);
  });
});
