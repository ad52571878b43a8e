import { describe, expect, test } from 'vitest';
import { CacheError } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('a thousand concurrent fetches are one source call, on every path at once', async () => {
    const { source, cache, calls } = setUp<object>({ methods, rows: [['a', { n: 1 }]] });
    source.behave('hold');
    const fetches = Array.from({ length: 1_000 }, (_, index) =>
      index % 3 === 0 ? cache.fetchMany(['a']).then((found) => found.get('a')) : cache.fetch('a'),
    );
    const warmed = cache.warm(['a']);
    expect(source.count()).toBe(1);
    calls[0]!.answer();
    const values = new Set(await Promise.all(fetches));
    expect(values.size).toBe(1);
    expect(await warmed).toEqual({ requested: 1, loaded: 1, absent: 0, failed: 0 });
    expect(source.count()).toBe(1);
    expect(cache.stats()).toMatchObject({ coalesced: 1_000, misses: 1_001, sourceCalls: 1 });
  });

  test('a thousand concurrent fetches that fail are one source call and a thousand errors', async () => {
    const { source, cache, calls } = setUp({ methods });
    source.behave('hold');
    const fetches = Array.from({ length: 1_000 }, () => cache.fetch('a'));
    expect(source.count()).toBe(1);
    calls[0]!.fail();
    for (const result of await Promise.allSettled(fetches)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'source-failed' } });
    }
    expect(source.count()).toBe(1);
    source.behave('answer');
    expect(await cache.fetch('a')).toBeUndefined();
    expect(source.count()).toBe(2);
  });

  test('concurrent fetches of a key that does not exist are one source call', async () => {
    const { source, cache, calls } = setUp({ methods });
    source.behave('hold');
    const fetches = Array.from({ length: 10 }, () => cache.fetch('a'));
    calls[0]!.answer();
    expect(await Promise.all(fetches)).toEqual(Array(10).fill(undefined));
    expect(source.count()).toBe(1);
  });

  test('after an invalidation there is one more source call, however many fetch', async () => {
    const { source, cache } = setUp<string>({ methods, rows: [['a', 'old']] });
    source.behave('hold');
    const before = Array.from({ length: 10 }, () => cache.fetch('a'));
    await cache.invalidate('a');
    const after = Array.from({ length: 10 }, () => cache.fetch('a'));
    for (const call of source.calls) call.answer();
    await settle();
    for (const call of source.calls) call.answer();
    await Promise.all([...before, ...after]);
    expect(source.count()).toBe(2);
  });

  test('a flight that has landed is not joined: the next one asks again', async () => {
    const { source, cache } = setUp<string>({ methods, rows: [['a', 'a']], negativeTtl: 0 });
    await cache.fetch('a', { fresh: true });
    await cache.fetch('a', { fresh: true });
    expect(source.count()).toBe(2);
    source.behave('fail');
    await expect(cache.fetch('a', { fresh: true })).rejects.toThrow(CacheError);
    await expect(cache.fetch('a', { fresh: true })).rejects.toThrow(CacheError);
    expect(source.count()).toBe(4);
  });

  test('a fresh fetch does not join an older one, and younger ones join it', async () => {
    const { source, cache, calls } = setUp<string>({ methods, rows: [['a', 'old']] });
    source.behave('hold');
    const older = cache.fetch('a');
    source.rows.set('a', 'new');
    const fresh = cache.fetch('a', { fresh: true });
    const younger = cache.fetch('a');
    // A source with fetchAll only has one snapshot under way at a time.
    calls[0]!.answer();
    await settle();
    calls[1]!.answer();
    expect(await fresh).toBe('new');
    expect(await older).toBe('old');
    expect(await younger).toBe('new');
    expect(source.count()).toBe(2);
  });

  test('fetchMany of keys that are partly under way asks only for the others', async () => {
    const { source, cache, calls } = setUp<string>({ methods, rows: [...'abc'].map((key) => [key, key] as const) });
    source.behave('hold');
    const single = cache.fetch('a');
    const many = cache.fetchMany(['c', 'a', 'b', 'a']);
    const again = cache.fetchMany(['a', 'b', 'c']);
    const asked = calls.flatMap(({ keys }) => keys).toSorted();
    expect(asked).toEqual(['a', 'b', 'c']);
    for (const call of calls) call.answer();
    expect([...(await many)]).toEqual([
      ['c', 'c'],
      ['a', 'a'],
      ['b', 'b'],
    ]);
    expect([...(await again).keys()]).toEqual(['a', 'b', 'c']);
    expect(await single).toBe('a');
    await settle();
    expect(calls.flatMap(({ keys }) => keys)).toHaveLength(3);
  });
});

test('fetchMany and warm are one source call where the source has fetchMany', async () => {
  const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`);
  const { source, cache } = setUp<string>({ methods: ['fetchOne', 'fetchMany'], rows: keys.map((key) => [key, key]) });
  expect((await cache.fetchMany(keys)).size).toBe(500);
  expect(source.calls.map(({ method }) => method)).toEqual(['fetchMany']);
  await cache.invalidateAll();
  expect(await cache.warm(keys)).toEqual({ requested: 500, loaded: 500, absent: 0, failed: 0 });
  expect(source.count()).toBe(2);
  await cache.fetchMany(['another']);
  expect(source.calls.at(-1)!.method).toBe('fetchOne');
  await cache.fetchMany([]);
  expect(source.count()).toBe(3);
});

test('fetchMany of a source with fetchOne only asks for sixteen keys at a time', async () => {
  const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
  const { source, cache, calls } = setUp<string>({ methods: ['fetchOne'], rows: keys.map((key) => [key, key]) });
  source.behave('hold');
  const many = cache.fetchMany(keys);
  const joined = cache.fetch('key 0');
  for (const expected of [16, 32, 40]) {
    await settle();
    expect(source.count()).toBe(expected);
    for (const call of calls) call.answer();
  }
  expect((await many).size).toBe(40);
  expect(await joined).toBe('key 0');
  expect(source.count()).toBe(40);
});

test('fetchMany of a source with fetchAll only is one snapshot, however many keys', async () => {
  const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`);
  const { source, cache } = setUp<string>({ methods: ['fetchAll'], rows: keys.map((key) => [key, key]) });
  expect((await cache.fetchMany(keys)).size).toBe(100);
  expect(source.count()).toBe(1);
  expect((await cache.fetchMany(keys, { fresh: true })).size).toBe(100);
  expect(source.count()).toBe(2);
});

describe('the snapshot that is under way', () => {
  test('is what a fetch waits for, if the source has fetchAll only', async () => {
    const { source, cache, calls } = setUp<string>({ methods: ['fetchAll'], rows: [['a', 'a']] });
    source.behave('hold');
    const started = cache.start();
    const fetches = [cache.fetch('a'), cache.fetch('missing')];
    await settle();
    calls[0]!.answer();
    expect(await Promise.all(fetches)).toEqual(['a', undefined]);
    await started;
    expect(source.count()).toBe(1);
  });

  test('is also that of an invalidation', async () => {
    const set = setUp<string>({ methods: ['fetchAll'], rows: [['a', 'a']] });
    const { source, cache, calls } = set;
    await load(set);
    source.behave('hold');
    await cache.invalidate('a');
    const fetched = cache.fetch('a');
    calls[1]!.answer();
    expect(await fetched).toBe('a');
    expect(source.count()).toBe(2);
  });
});

describe('refreshes', () => {
  test.each(WITH_SNAPSHOT)(
    'and nudges, however many, are one running and one waiting ($shape)',
    async ({ methods }) => {
      const set = setUp<string>({ methods, rows: [['a', 'a']] });
      const { source, cache, calls } = set;
      await load(set);
      source.behave('hold');
      const first = cache.refresh();
      const others = Array.from({ length: 50 }, (_, index) =>
        index % 2 ? cache.refresh() : cache.refresh({ keys: ['a'] }),
      );
      await cache.invalidate('a');
      await cache.invalidateAll();
      await settle();
      expect(source.count()).toBe(2);
      // It was overtaken by invalidateAll: it reads again, and its report waits for that.
      calls[1]!.answer();
      await settle();
      calls[2]!.answer();
      await first;
      await settle();
      expect(source.count()).toBe(4);
      calls[3]!.answer();
      const reports = new Set(await Promise.all(others));
      expect(reports.size).toBe(1);
      expect(source.count()).toBe(4);
    },
  );

  test.each(WITH_KEYS)('of a failing source are coalesced as well ($shape)', async ({ methods }) => {
    const set = setUp<string>({ methods, rows: [['a', 'a']] });
    await load(set);
    set.source.behave('hold');
    const reports = Array.from({ length: 10 }, () => set.cache.refresh());
    await settle();
    set.calls[1]!.fail();
    await settle();
    set.calls[2]!.fail();
    expect(new Set((await Promise.all(reports)).map(({ outcome }) => outcome))).toEqual(new Set(['failed']));
    expect(set.calls).toHaveLength(3);
    await set.cache.stop();
  });

  test('that wait are sent after everybody who waits for them has asked', async () => {
    const { source, cache, calls } = setUp<string>({ methods: ['fetchAll'], rows: [['a', 'v1']] });
    source.behave('hold');
    const first = cache.refresh();
    await settle();
    source.rows.set('a', 'v2');
    const second = cache.refresh();
    source.rows.set('a', 'v3');
    const third = cache.refresh();
    calls[0]!.answer();
    await first;
    expect(cache.get('a')).toBe('v1');
    await settle();
    calls[1]!.answer();
    await Promise.all([second, third]);
    expect(cache.get('a')).toBe('v3');
  });
});
