import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { aged, TTLCacheService } from '../src/index.ts';
import { VirtualClock } from '../testing/index.ts';
import { load, SHAPES, setUp } from './support/set-up.ts';

const BOTH = SHAPES.filter(({ methods }) => methods.includes('fetchAll') && methods.length > 1);
const row = z.object({ n: z.number() });
type Row = z.infer<typeof row>;

describe.each(BOTH)('with $shape', ({ methods }) => {
  test('a key that was absent is unknown, not absent, once a snapshot has a row for it that is refused', async () => {
    const set = setUp<Row>({ methods, schema: row, rows: [['b', { n: 1 }]] });
    const { cache, source } = set;
    await load(set);
    expect(await cache.fetch('a', { fresh: true })).toBeUndefined();
    expect(cache.inspect('a').state).toBe('absent');
    source.rows.set('a', { n: 'none' } as unknown as Row);
    await cache.refresh();
    expect(cache.inspect('a').state).toBe('unknown');
    await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed' });
    await cache.stop();
  });

  test('an entry that is fresh beside a stale set is a hit, and no stale one', async () => {
    const rows = [
      ['a', 'a'],
      ['b', 'b'],
    ] as const;
    const set = setUp<string>({ methods, rows, ttl: '1m', refreshInterval: '30s' });
    const { cache, source, clock } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchAll' ? 'fail' : 'answer'));
    await clock.advance('61s');
    expect(await cache.fetch('a', { fresh: true })).toBe('a');
    const [before, calls] = [cache.stats(), source.count()];
    expect([cache.get('b'), cache.get('a'), await cache.fetch('a')]).toEqual(['b', 'a', 'a']);
    expect(cache.stats().staleHits - before.staleHits).toBe(1);
    expect(source.count()).toBe(calls);
    await cache.stop();
  });
});

test('an entry that is gone by its own age is not absent because the set is fresh: it is read again', async () => {
  const clock = new VirtualClock(1);
  let ageMs = 50_000;
  const cache = new TTLCacheService<string>({
    name: 'test',
    clock,
    ttl: '1m',
    staleIfError: 0,
    closedWorld: true,
    source: { fetchAll: async () => [['a', 'a']], fetchOne: async () => aged('a', ageMs) },
  });
  await cache.start();
  expect(await cache.fetch('a', { fresh: true })).toBe('a');
  ageMs = 0;
  await clock.advance('11s');
  expect(cache.get('a')).toBeUndefined();
  expect(cache.inspect('a').state).toBe('unknown');
  expect(await cache.fetch('a')).toBe('a');
  await cache.stop();
});

test('a held row that is gone by its age is absent: the last snapshot said so, and a closed world need not ask', async () => {
  const clock = new VirtualClock(1);
  let rows: [string, string][] = [...'abcd'].map((key) => [key, key]);
  let singleCalls = 0;
  const cache = new TTLCacheService<string>({
    name: 'test',
    clock,
    ttl: '1m',
    staleIfError: 0,
    closedWorld: true,
    guard: { maxRemovedShare: 0.5, minRows: 1, acceptAfter: 100 },
    source: {
      fetchAll: async () => rows,
      fetchOne: async () => {
        singleCalls += 1;
        return undefined;
      },
    },
  });
  await cache.start();
  rows = [['a', 'a']];
  await cache.refresh();
  expect(cache.status().state).toBe('held');
  await clock.advance('61s');
  expect(cache.get('b')).toBeUndefined();
  expect(await cache.fetch('b')).toBeUndefined();
  expect(singleCalls).toBe(0);
  await cache.stop();
});
