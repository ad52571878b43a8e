import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, ON_DEMAND, type SetUp, setUp, WITH_KEYS } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);

describe.each(ON_DEMAND)('a refresh of what is held, with $shape', ({ methods }) => {
  test('reads it again, that which has expired included, and nothing else', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc'), ttl: '1m' });
    const { source, cache, clock, calls } = set;
    await cache.fetch('a');
    await clock.advance('2m');
    await cache.fetch('b');
    for (const key of 'abc') source.rows.set(key, 'new');
    const before = calls.length;
    expect(await cache.refresh()).toMatchObject({
      kind: 'delta',
      outcome: 'published',
      added: 1,
      updated: 1,
      generation: 1,
    });
    expect(
      calls
        .slice(before)
        .flatMap(({ keys }) => keys)
        .toSorted(),
    ).toEqual(['a', 'b']);
    expect(cache.getMany(['a', 'b', 'c'])).toEqual(['new', 'new', undefined]);
    await cache.stop();
  });

  test('comes by a timer if there is an interval, and by none if there is not', async () => {
    for (const refreshInterval of ['1m', undefined] as const) {
      const set = setUp<string>({ methods, rows: rowsOf('a'), ...(refreshInterval && { refreshInterval }) });
      await load(set);
      set.source.rows.set('a', 'new');
      await set.clock.advance('1m');
      expect(set.cache.get('a')).toBe(refreshInterval ? 'new' : 'a');
      expect(set.cache.status().nextRefreshInMs === undefined).toBe(refreshInterval === undefined);
      await set.cache.stop();
    }
  });

  test('that failed leaves no degraded state behind once the source is back', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a') });
    await load(set);
    set.source.behave('fail');
    await set.cache.refresh();
    expect(set.cache.status().state).toBe('degraded');
    set.source.behave('answer');
    await set.cache.fetch('a', { fresh: true });
    expect(set.cache.status().state).toBe('live');
    await set.cache.stop();
  });

  test('takes a thousand keys a call, or sixteen calls at a time, the first alone', async () => {
    const keys = Array.from({ length: 2_500 }, (_, index) => `${index}`);
    const set = setUp<string>({ methods, rows: keys.map((key) => [key, key]) });
    const { source, cache, calls } = set;
    await load(set);
    const before = calls.length;
    source.behave('hold');
    const refreshed = cache.refresh({ keys });
    const sizes: number[] = [];
    for (let answered = before; answered < calls.length; await settle()) {
      sizes.push(calls.length - answered);
      for (; answered < calls.length; answered += 1) calls[answered]!.answer();
      await settle();
    }
    expect(await refreshed).toMatchObject({ unchanged: 2_500 });
    if (methods.includes('fetchMany')) {
      expect(calls.slice(before).map(({ keys }) => keys.length)).toEqual([1_000, 1_000, 500]);
      expect(sizes).toEqual([1, 1, 1]);
    } else {
      expect(sizes.slice(0, 3)).toEqual([1, 16, 16]);
      expect(calls.length - before).toBe(2_500);
    }
    await cache.stop();
  });
});

test.each(WITH_KEYS)('a refresh of keys soon notices that the source is down ($shape)', async ({ methods }) => {
  const keys = Array.from({ length: 200 }, (_, index) => `${index}`);
  const set = setUp<string>({ methods, rows: keys.map((key) => [key, key]) });
  const { source, cache } = set;
  await load(set);
  source.behave('fail');
  const down = source.count();
  expect(await cache.refresh({ keys })).toMatchObject({ outcome: 'failed' });
  // One at a time, until the breaker opens.
  expect(source.count() - down).toBe(methods.includes('fetchMany') ? 1 : 3);
  await cache.stop();
});

test('a key that always fails keeps no other from being refreshed', async () => {
  const keys = Array.from({ length: 200 }, (_, index) => `${index}`);
  const set = setUp<string>({ methods: ['fetchOne'], rows: keys.map((key) => [key, 'old']) });
  const { source, cache } = set;
  await cache.fetchMany(keys);
  for (const key of keys) source.rows.set(key, 'new');
  const before = source.count();
  // The first of all, and one in the middle.
  source.behave((call) => (call === before + 1 || call === before + 50 ? 'fail' : 'answer'));
  const report = await cache.refresh();
  expect(report).toMatchObject({ outcome: 'published', updated: 198 });
  expect(report.error?.code).toBe('source-failed');
  expect(keys.map((key) => cache.get(key)).filter((value) => value === 'old')).toHaveLength(2);
  await cache.stop();
});

test('a refresh of keys that is stopped half-way has ended as stopped, even if the cache is started again at once', async () => {
  const keys = Array.from({ length: 2_000 }, (_, index) => `${index}`);
  const { source, cache, calls } = setUp<string>({ methods: ['fetchMany'], rows: keys.map((key) => [key, key]) });
  await cache.fetchMany(keys);
  source.behave('hold');
  const refreshed = cache.refresh();
  await settle();
  calls.at(-1)!.answer();
  while (calls.length < 3) await settle();
  const stopped = cache.stop();
  await cache.start();
  await stopped;
  expect(await refreshed).toMatchObject({ outcome: 'stopped', error: { code: 'stopped' } });
  await cache.stop();
});

describe('thousands of keys that are read again', () => {
  const keys = Array.from({ length: 2_000 }, (_, index) => `${index}`);
  const last = keys.at(-1)!;

  /** Runs `between` in each turn from the moment that the new value of one key can be seen. */
  async function refreshed(between: (set: SetUp<string>, turns: number) => void): Promise<SetUp<string>> {
    const set = setUp<string>({ methods: ['fetchMany'], rows: keys.map((key) => [key, 'old']), ttl: '1m' });
    await set.cache.fetchMany(keys);
    await set.clock.advance('50s');
    set.source.rows.set('7', 'new');
    let isOver = false;
    const refresh = set.cache.refresh().then((report) => {
      isOver = true;
      return report;
    });
    for (let turns = 0; !isOver; await turn()) {
      if (set.cache.get('7') !== 'new') continue;
      turns += 1;
      between(set, turns);
    }
    expect(await refresh).toMatchObject({ outcome: 'published', updated: 1, generation: 1 });
    return set;
  }

  test('are all confirmed; what has changed is seen at once, the others get their turn', async () => {
    const ages: unknown[] = [];
    const { cache, clock } = await refreshed((set) => ages.push(set.cache.inspect(last).ageMs));
    expect(ages.slice(0, 3)).toEqual([50_000, 50_000, 50_000]);
    expect(cache.status().lastRefresh).toMatchObject({ unchanged: 1_999 });
    await clock.advance('20s');
    expect(cache.size).toBe(2_000);
    expect(cache.inspect(last)).toMatchObject({ state: 'fresh', ageMs: 20_000 });
    await cache.stop();
  });

  test('lose to what happens in between: an invalidation, a later answer, the end', async () => {
    const { cache, source } = await refreshed((set, turns) => {
      if (turns > 1) return;
      void set.cache.invalidate(last);
      set.source.rows.set('1998', 'newer');
      void set.cache.fetch('1998', { fresh: true });
    });
    expect([cache.get(last), cache.get('1998'), cache.size]).toEqual([undefined, 'newer', 1_999]);
    expect(source.rows.get(last)).toBe('old');
    await cache.stop();
    const stopped = await refreshed((set, turns) => {
      if (turns === 1) void set.cache.stop();
    });
    expect([stopped.cache.size, stopped.clock.pendingTimers]).toEqual([0, 0]);
  });

  test('win over an answer that was sent earlier and lands in between, and tell that they have taken it back', async () => {
    for (const [earlier, change] of [
      ['other', { added: [], updated: [last], removed: [] }],
      [undefined, { added: [last], updated: [], removed: [] }],
    ] as const) {
      const set = setUp<string>({ methods: ['fetchMany'], rows: keys.map((key) => [key, 'old']), ttl: '1m' });
      const { cache, source, calls } = set;
      await cache.fetchMany(keys);
      const changes: unknown[] = [];
      cache.on('change', (event) => changes.push(event));
      source.behave((call) => (call === 2 ? 'hold' : 'answer'));
      const fetched = cache.fetch(last, { fresh: true });
      source.rows.set('7', 'new');
      const refresh = cache.refresh();
      while (cache.get('7') === 'old') await turn();
      calls[1]!.answer(earlier === undefined ? [] : [[last, earlier]]);
      expect([await fetched, cache.get(last)]).toEqual([earlier, earlier]);
      expect(await refresh).toMatchObject({ unchanged: 1_998, generation: 2 });
      expect(cache.get(last)).toBe('old');
      expect(changes).toEqual([
        { generation: 1, added: [], updated: ['7'], removed: [] },
        { generation: 2, ...change },
      ]);
      await cache.stop();
    }
  });
});
