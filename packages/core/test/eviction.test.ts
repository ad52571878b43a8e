import { describe, expect, test } from 'vitest';
import { ON_DEMAND, setUp } from './support/set-up.ts';

const rowsOf = (count: number): (readonly [string, string])[] =>
  Array.from({ length: count }, (_, index) => [`key ${index}`, `value ${index}`]);

describe.each(ON_DEMAND)('with $shape', ({ methods }) => {
  test('maxEntries holds, and the entry that was confirmed longest ago goes first', async () => {
    const { cache } = setUp<string>({ methods, rows: rowsOf(20), maxEntries: 3 });
    for (const key of [0, 1, 2]) await cache.fetch(`key ${key}`);
    await cache.fetch('key 0', { fresh: true });
    await cache.fetch('key 3');
    expect([...cache.keys()].toSorted()).toEqual(['key 0', 'key 2', 'key 3']);
    expect((await cache.fetchMany(Array.from({ length: 10 }, (_, index) => `key ${5 + index}`))).size).toBe(10);
    expect([...cache.keys()].toSorted()).toEqual(['key 12', 'key 13', 'key 14']);
    expect(cache.stats()).toMatchObject({ entries: 3, evictions: 11 });
    expect(cache.inspect('key 0').state).toBe('unknown');
  });

  test('holds ten thousand entries unless told otherwise', async () => {
    const rows = rowsOf(10_050);
    const { cache } = setUp<string>({ methods: ['fetchMany'], rows });
    await cache.warm(rows.map(([key]) => key));
    expect(cache.size).toBe(10_000);
    expect(cache.stats().evictions).toBe(50);
    expect([methods.length, cache.has('key 49'), cache.has('key 50')]).toEqual([1, false, true]);
  });

  test('expired entries are not evicted twice, and are swept when nothing may serve them any more', async () => {
    const { cache, clock } = setUp<string>({ methods, rows: rowsOf(200), ttl: '1m', staleIfError: '1m' });
    for (const [key] of rowsOf(200)) await cache.fetch(key);
    expect(cache.size).toBe(200);
    await clock.advance(60_001);
    expect(cache.size).toBe(0);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(60_000);
    // Nothing is held: nothing is refreshed, and no timer waits.
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', unchanged: 0 });
    expect(clock.pendingTimers).toBe(0);
    expect(cache.stats().evictions).toBe(0);
  });

  test('entries that have expired still count towards maxEntries, as they may be needed in an outage', async () => {
    const { source, cache, clock } = setUp<string>({ methods, rows: rowsOf(5), maxEntries: 3, ttl: '1m' });
    for (const key of [0, 1, 2]) await cache.fetch(`key ${key}`);
    await clock.advance('2m');
    await cache.fetch('key 3');
    source.behave('fail');
    expect(await cache.fetch('key 1')).toBe('value 1');
    await expect(cache.fetch('key 0')).rejects.toMatchObject({ code: 'source-failed' });
  });
});

test('a whole set is not bounded', async () => {
  const { cache } = setUp<string>({ rows: rowsOf(10_500) });
  await cache.refresh();
  expect(cache.size).toBe(10_500);
});
