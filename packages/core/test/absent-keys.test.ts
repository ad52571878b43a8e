import { describe, expect, test } from 'vitest';
import type { CacheError, StandardSchema } from '../src/index.ts';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, ON_DEMAND, type SetUp, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const ROWS = [
  ['a', 'a'],
  ['b', 'b'],
] as const;
const CLOSED = [
  ...WITH_SNAPSHOT,
  { shape: 'fetchAll, fetchMany and fetchChanges', methods: ['fetchAll', 'fetchMany', 'fetchChanges'] as const },
];

describe.each(CLOSED)('in a closed world, with $shape', ({ methods }) => {
  const closed = (settings: Parameters<typeof setUp<string>>[0] = {}): SetUp<string> =>
    setUp<string>({ methods, rows: ROWS, closedWorld: true, negativeTtl: 0, ...settings });

  test('a key that the load did not have is absent without a call, while the set is fresh or stale', async () => {
    const set = closed({ ttl: '5m', staleIfError: '5m' });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('fail');
    for (const age of ['fresh', 'stale'] as const) {
      const before = { calls: source.count(), ...cache.stats() };
      for (let n = 0; n < 1_500; n += 1) expect(await cache.fetch(`missing ${n}`)).toBeUndefined();
      expect(await cache.fetchMany(['a', 'missing'])).toEqual(new Map([['a', 'a']]));
      expect(await cache.warm(['missing', 'gone'])).toMatchObject({ absent: 2, failed: 0 });
      expect(cache.stats().absentHits - before.absentHits).toBe(1_503);
      expect(cache.stats()).toMatchObject({ negatives: 0, rateLimited: 0 });
      if (age === 'fresh') expect(source.count()).toBe(before.calls);
      expect(cache.inspect('missing')).toMatchObject({ state: 'absent', ageMs: cache.status().ageMs });
      expect(cache.inspect('a').state).toBe(age);
      if (age === 'fresh') await clock.advance('6m');
    }
    await cache.stop();
  });

  test('nothing is absent before the first load, and when the set is gone', async () => {
    const set = closed({ ttl: '5m', staleIfError: '5m' });
    const { source, cache, clock } = set;
    expect(cache.inspect('missing').state).toBe('unknown');
    expect(await cache.fetch('missing')).toBeUndefined();
    expect(source.count()).toBe(1);
    await cache.start();
    source.behave('fail');
    await clock.advance('11m');
    expect(cache.inspect('missing').state).toBe('unknown');
    await expect(cache.fetch('missing')).rejects.toMatchObject({ cache: 'test' });
    await cache.stop();
    expect(cache.inspect('missing').state).toBe('unknown');
  });

  test('a key that was invalidated is asked for, and after invalidateAll every key', async () => {
    const set = closed();
    const { source, cache } = set;
    await load(set);
    for (const forget of [() => cache.invalidate('missing'), () => cache.invalidateAll()]) {
      source.behave('refuse');
      await forget();
      await settle();
      expect(cache.inspect('missing').state).toBe('unknown');
      await expect(cache.fetch('missing')).rejects.toMatchObject({ code: 'source-failed' });
      source.behave('answer');
      source.rows.set('missing', 'there');
      expect(await cache.fetch('missing')).toBe('there');
      source.rows.delete('missing');
      await cache.refresh();
      expect(cache.inspect('missing').state).toBe('absent');
    }
    await cache.stop();
  });

  test('fresh: true asks, and a key that appears is seen by the next refresh', async () => {
    const set = closed();
    const { source, cache } = set;
    await load(set);
    const before = source.count();
    expect(await cache.fetch('c', { fresh: true })).toBeUndefined();
    expect(source.count()).toBe(before + 1);
    source.rows.set('c', 'c');
    expect(await cache.fetch('c')).toBeUndefined();
    await cache.refresh();
    expect(await cache.fetch('c')).toBe('c');
    source.rows.delete('c');
    await cache.refresh();
    expect(cache.inspect('c').state).toBe('absent');
    await cache.stop();
  });

  test('a row that is bad is not absent', async () => {
    const schema: StandardSchema<string> = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'bad' }] }) },
    };
    const set = closed({ schema });
    await load(set);
    expect(set.cache.inspect('a').state).toBe('unknown');
    await expect(set.cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed' });
    expect(set.cache.inspect('missing').state).toBe('absent');
    await set.cache.stop();
  });
});

test.each(WITH_KEYS)('in an open world a missing key is asked for ($shape)', async ({ methods }) => {
  const set = setUp<string>({ methods, rows: ROWS, negativeTtl: 0 });
  await load(set);
  const before = set.source.count();
  await set.cache.fetch('missing');
  await set.cache.fetch('missing');
  expect(set.source.count()).toBe(before + 2);
  await set.cache.stop();
});

/** Asks for this many keys that the source does not have: how many were refused. */
async function flood({ cache }: SetUp<string>, count: number, name = 'missing'): Promise<number> {
  let refused = 0;
  for (let n = 0; n < count; n += 1) {
    const answer = await cache.fetch(`${name} ${n}`).catch((error: CacheError) => error.code);
    expect(['rate-limited', undefined]).toContain(answer);
    if (answer !== undefined) refused += 1;
  }
  return refused;
}

describe.each(WITH_KEYS)('a flood of unknown keys, with $shape', ({ methods }) => {
  test('is refused beyond ten seconds of the rate, before the source is asked, and let in as time passes', async () => {
    for (const [maxAbsentPerSecond, burst] of [
      [undefined, 1_000],
      [5, 50],
      [0.05, 1],
    ] as const) {
      const set = setUp<string>({ methods, ...(maxAbsentPerSecond && { maxAbsentPerSecond }) });
      const { source, cache, clock } = set;
      expect(await flood(set, burst + 7)).toBe(7);
      expect([source.count(), cache.stats().rateLimited]).toEqual([burst, 7]);
      const error = await cache.fetch('secret').catch((error: unknown) => error);
      expect(error).toMatchObject({ code: 'rate-limited', key: 'secret', cache: 'test' });
      expect((error as Error).message).not.toContain('secret');
      expect(cache.status()).toMatchObject({ breaker: 'closed' });
      expect(cache.stats().sourceFailures).toBe(0);
      await clock.advance('20s');
      // No more than the burst, however long it was quiet.
      expect(await flood(set, burst + 9, 'again')).toBe(9);
      await clock.advance(3_000 / (maxAbsentPerSecond ?? 100));
      expect(await flood(set, 4, 'at last')).toBe(4 - Math.min(3, burst));
    }
  });

  test('may be as great as it likes with a limit of Infinity', async () => {
    const set = setUp<string>({ methods, maxAbsentPerSecond: Number.POSITIVE_INFINITY });
    expect(await flood(set, 2_000)).toBe(0);
    expect(set.cache.stats().rateLimited).toBe(0);
  });

  test('does not touch keys that exist: a cold start is not a flood', async () => {
    const rows = Array.from({ length: 5_000 }, (_, n) => [`key ${n}`, 'row'] as const);
    const set = setUp<string>({ methods, rows, maxAbsentPerSecond: 1 });
    const { source, cache } = set;
    for (const [key] of rows) expect(await cache.fetch(key)).toBe('row');
    expect(cache.stats().rateLimited).toBe(0);
    // They have taken nothing from what absent keys may take.
    expect(await flood(set, 12)).toBe(2);
    expect(source.count()).toBe(5_010);
  });

  test('does not keep from the source what is known: fresh, stale, or in quarantine', async () => {
    const schema: StandardSchema<string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => (value === 'bad' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
      },
    };
    const rows = [...ROWS, ['bad', 'bad']] as const;
    const set = setUp<string>({ methods, rows, schema, maxAbsentPerSecond: 0.1, ttl: '5m' });
    const { source, cache, clock } = set;
    await cache.fetchMany(['a', 'b', 'bad']).catch(() => undefined);
    await clock.advance('6m');
    expect(await flood(set, 3)).toBe(2);
    source.rows.set('a', 'new').set('b', 'new').set('bad', 'good');
    expect(await cache.fetch('a')).toBe('new');
    expect(await cache.fetch('b', { fresh: true })).toBe('new');
    expect(await cache.fetch('bad')).toBe('good');
    // What is remembered as absent costs nothing; asked for anew it is a stranger like any other.
    expect(await cache.fetch('missing 0')).toBeUndefined();
    await expect(cache.fetch('missing 0', { fresh: true })).rejects.toMatchObject({ code: 'rate-limited' });
    expect(cache.stats().rateLimited).toBe(3);
  });

  test('does not keep a refresh from bringing a key that appears meanwhile', async () => {
    const set = setUp<string>({ methods, maxAbsentPerSecond: 0.1 });
    const { source, cache } = set;
    await load(set);
    await flood(set, 3);
    source.rows.set('new', 'new');
    await expect(cache.fetch('new')).rejects.toMatchObject({ code: 'rate-limited' });
    await cache.refresh(source.fetchAll ? {} : { keys: ['new'] });
    expect(await cache.fetch('new')).toBe('new');
    expect(await cache.fetch('new', { fresh: true })).toBe('new');
    await cache.stop();
  });

  test('does not keep a key that was invalidated from coming back by a refresh', async () => {
    const set = setUp<string>({ methods, rows: ROWS, maxAbsentPerSecond: 0.1 });
    const { source, cache } = set;
    await load(set);
    await flood(set, 3);
    await cache.invalidate('a');
    if (source.fetchAll === undefined) await cache.refresh({ keys: ['a'] });
    else await settle();
    expect(await cache.fetch('a')).toBe('a');
    await cache.stop();
  });

  test('refuses a part of a fetchMany: what can be answered is in the error', async () => {
    const set = setUp<string>({ methods, rows: ROWS, maxAbsentPerSecond: 0.1 });
    const { source, cache } = set;
    await cache.fetch('a');
    await flood(set, 1);
    const before = source.count();
    const error = await cache.fetchMany(['a', 'c', 'd']).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'rate-limited', partial: new Map([['a', 'a']]) });
    expect(await cache.warm(['a', 'c', 'd'])).toEqual({ requested: 3, loaded: 1, absent: 0, failed: 2 });
    expect(source.count()).toBe(before);
    expect(cache.stats().rateLimited).toBe(4);
  });

  test('that comes all at once leaves the debt of one burst behind, and no more', async () => {
    const set = setUp<string>({ methods, maxAbsentPerSecond: 10 });
    const { source, cache, clock } = set;
    source.behave({ slowMs: 10 });
    const burst = Promise.all(Array.from({ length: 400 }, (_, n) => cache.fetch(`missing ${n}`)));
    await clock.advance('1s');
    expect(new Set(await burst)).toEqual(new Set([undefined]));
    source.behave('answer');
    await clock.advance('9s');
    expect(await flood(set, 1, 'sooner')).toBe(1);
    await clock.advance('2s');
    expect(await flood(set, 10, 'later')).toBe(0);
  });

  test('is limited all the same while the source is slow', async () => {
    const set = setUp<string>({ methods, maxAbsentPerSecond: 10 });
    const { source, cache, clock } = set;
    await flood(set, 110);
    source.calls.length = 0;
    source.behave({ slowMs: 50 });
    for (let turn = 0; turn < 1_000; turn += 1) {
      for (let n = 0; n < 5; n += 1) cache.fetch(`missing ${turn}/${n}`).catch(() => undefined);
      await clock.advance(10);
    }
    // 10 s bring 100 tokens.
    expect(source.count()).toBeLessThan(200);
    await cache.stop();
  });

  test('does not hide a key that appears: it is seen after negativeTtl', async () => {
    const set = setUp<string>({ methods, negativeTtl: '10s', maxAbsentPerSecond: 1 });
    const { source, cache, clock } = set;
    await flood(set, 20);
    source.rows.set('missing 0', 'there');
    expect(await cache.fetch('missing 0')).toBeUndefined();
    await clock.advance(10_001);
    expect(await cache.fetch('missing 0')).toBe('there');
    await cache.stop();
  });
});

test.each(ON_DEMAND)('a key that appears is seen at once after a nudge ($shape)', async ({ methods }) => {
  const watched: readonly SourceMethod[] = [...methods, 'watch'];
  const set = setUp<string>({ methods: watched });
  const { source, cache } = set;
  await cache.start();
  await settle();
  expect(await cache.fetch('c')).toBeUndefined();
  source.rows.set('c', 'c');
  expect(await cache.fetch('c')).toBeUndefined();
  source.nudge();
  expect(await cache.fetch('c')).toBe('c');
  await cache.stop();
});
