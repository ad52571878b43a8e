import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { load, SHAPES, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('data enters by a fetch or a refresh, and by nothing else', async () => {
    const set = setUp<{ n: number }>({ methods, rows: [['a', { n: 1 }]] });
    const { cache, source } = set;
    await load(set);
    const asked = source.count();
    source.rows.set('a', { n: 2 }).set('b', { n: 2 });
    for (const key of ['a', 'b', 'missing']) {
      cache.get(key);
      cache.getMany([key]);
      cache.has(key);
      cache.inspect(key);
      cache.derive((value) => value).get(key);
    }
    [...cache.entries(), ...cache.keys(), cache.stats(), cache.status(), cache.size].join();
    await settle();
    expect(source.count()).toBe(asked);
    expect(cache.get('a')).toEqual({ n: 1 });
    expect(cache.get('b')).toBeUndefined();
    await cache.stop();
  });

  test('nothing that a reader is handed is a way in', async () => {
    const set = setUp<{ n: number }>({ methods, rows: [['a', { n: 1 }]] });
    await load(set);
    const { cache, source } = set;
    const found = (await cache.fetchMany(['a'])) as Map<string, { n: number }>;
    found.set('a', { n: 9 }).set('b', { n: 9 });
    for (const entry of cache.entries()) entry[1] = { n: 9 };
    cache.getMany(['a'])[0] = { n: 9 };
    (cache.status().quarantine as unknown[]).push('nonsense');
    (cache.stats() as { hits: number }).hits = -1;
    // The rows of the source are its own: adding one there is not adding one here.
    source.rows.set('c', { n: 9 });
    expect(cache.get('a')).toEqual({ n: 1 });
    expect([...cache.keys()]).toEqual(['a']);
    expect(cache.status().quarantine).toEqual([]);
    expect(cache.stats().hits).toBeGreaterThan(0);
    await cache.stop();
  });
});

test.each(WITH_SNAPSHOT)(
  'a nudge carries no data: what it brings is what the source says then ($shape)',
  async ({ methods }) => {
    const set = setUp<string>({ methods, rows: [['a', 'old']] });
    await load(set);
    set.source.behave('hold');
    await set.cache.invalidate('a');
    expect(set.cache.get('a')).toBeUndefined();
    set.calls[1]!.answer(new Map([['a', 'what the source says']]));
    await settle();
    expect(set.cache.get('a')).toBe('what the source says');
  },
);
