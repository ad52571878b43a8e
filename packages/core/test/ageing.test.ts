import { describe, expect, test } from 'vitest';
import { aged, type Source, TTLCacheService } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { load, ON_DEMAND, SHAPES, SteadyClock, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

const TIMES = { ttl: 1_000, staleIfError: 10_000, refreshTimeout: '60s', timeout: '60s' } as const;

describe.each(WITH_SNAPSHOT)('a set that is refreshed, with $shape', ({ methods }) => {
  test('is fresh up to ttl, stale up to ttl + staleIfError, then gone: exactly', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    const { source, cache, clock } = set;
    const states: unknown[] = [];
    cache.on('state', (state) => states.push(state.to));
    await load(set);
    source.behave('fail');
    await clock.advance(1_000);
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', ageMs: 1_000 });
    expect(cache.status().ageMs).toBe(1_000);
    const { staleHits } = cache.stats();
    cache.get('a');
    expect(cache.stats().staleHits).toBe(staleHits);
    await clock.advance(1);
    expect(cache.inspect('a')).toMatchObject({ state: 'stale', ageMs: 1_001 });
    cache.get('a');
    expect(cache.stats().staleHits).toBe(staleHits + 1);
    await clock.advance(9_999);
    expect(cache.inspect('a')).toMatchObject({ state: 'stale', ageMs: 11_000 });
    expect(cache.get('a')).toBe('a');
    await clock.advance(1);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.inspect('a').state).toBe('unknown');
    expect(cache.size).toBe(0);
    await cache.stop();
  });

  test('ages from the moment before the request was sent, not from the answer', async () => {
    const { source, cache, clock } = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    source.behave({ slowMs: 400 });
    const started = cache.start();
    await clock.advance(400);
    await started;
    expect(cache.inspect('a').ageMs).toBe(400);
    source.behave('hang');
    await clock.advance(600);
    expect(cache.inspect('a').state).toBe('fresh');
    await clock.advance(1);
    expect(cache.inspect('a').state).toBe('stale');
    await cache.stop();
  });

  test('is renewed by a refresh that found nothing new, without a query for a single key', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ttl: '5m', refreshInterval: '1m' });
    const { source, cache, clock } = set;
    await load(set);
    await clock.advance('1h');
    expect(cache.inspect('a').ageMs).toBeLessThanOrEqual(60_000);
    expect(await cache.fetch('a')).toBe('a');
    expect(source.count()).toBe(source.count('fetchAll'));
    await cache.stop();
  });

  test('is not made younger by a refresh that failed', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    await load(set);
    set.source.behave('half');
    await set.clock.advance(700);
    await set.cache.refresh();
    expect(set.cache.inspect('a').ageMs).toBe(700);
    await set.cache.stop();
  });

  test('may come with an age of its own', async () => {
    const clock = new SteadyClock();
    let ageMs = 900;
    const source: Source<string> = { fetchAll: async () => ({ entries: [['a', 'a']], ageMs }) };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ...TIMES });
    await cache.refresh();
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', ageMs: 900 });
    await clock.advance(101);
    expect(cache.inspect('a')).toMatchObject({ state: 'stale' });
    ageMs = 11_000;
    expect((await cache.refresh()).outcome).toBe('unchanged');
    expect(cache.inspect('a')).toMatchObject({ state: 'stale', ageMs: 11_000 });
    await clock.advance(1);
    expect(cache.inspect('a').state).toBe('unknown');
  });

  test('that is slower than ttl is stale at once, and degraded', async () => {
    const { source, cache, clock } = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    source.behave({ slowMs: 1_500 });
    const started = cache.start();
    await clock.advance(1_500);
    await started;
    expect(cache.inspect('a')).toMatchObject({ state: 'stale', ageMs: 1_500 });
    expect(cache.status().state).toBe('degraded');
    await cache.stop();
  });
});

describe.each(ON_DEMAND)('an entry of a cache on demand, with $shape', ({ methods }) => {
  test('that has expired is not seen by get while the source is well, and fetch asks again', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'old']], ...TIMES });
    const { source, cache, clock } = set;
    await load(set);
    await clock.advance(1_000);
    expect(cache.get('a')).toBe('old');
    await clock.advance(1);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.inspect('a').state).toBe('unknown');
    expect([cache.size, cache.has('a'), [...cache.keys()]]).toEqual([0, false, []]);
    source.rows.set('a', 'new');
    expect(await cache.fetch('a')).toBe('new');
    expect(cache.get('a')).toBe('new');
    await cache.stop();
  });

  test('that has expired is served by fetch while the source fails, and seen by get from then on', async () => {
    for (const started of [true, false]) {
      const set = setUp<string>({ methods, rows: [['a', 'old']], ...TIMES });
      const { source, cache, clock } = set;
      if (started) await load(set);
      else await cache.fetch('a');
      await clock.advance(5_000);
      source.behave('fail');
      expect(cache.get('a')).toBeUndefined();
      expect(await cache.fetch('a')).toBe('old');
      expect(cache.get('a')).toBe('old');
      expect(cache.inspect('a')).toMatchObject({ state: 'stale', ageMs: 5_000 });
      expect(cache.stats().staleHits).toBe(2);
      // The source is back: what is stale is hidden again.
      source.behave('answer');
      await cache.fetch('b', { fresh: true }).catch(() => undefined);
      expect(cache.get('a')).toBeUndefined();
      await clock.advance(6_000);
      expect(cache.get('a')).toBeUndefined();
      source.behave('fail');
      expect(await cache.fetch('a')).toBe('old');
      await clock.advance(1);
      await expect(cache.fetch('a')).rejects.toMatchObject({ cache: 'test' });
      expect(cache.get('a')).toBeUndefined();
      await cache.stop();
    }
  });

  test('with a refresh interval stays visible: its refresh is on its way', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES, refreshInterval: 500 });
    await load(set);
    set.source.behave('hang');
    await set.clock.advance(1_001);
    expect(set.cache.inspect('a')).toMatchObject({ state: 'stale' });
    expect(set.cache.get('a')).toBe('a');
    await set.cache.stop();
  });
});

describe.each(WITH_KEYS)('a single answer, with $shape', ({ methods }) => {
  test('ages from the moment before its request was sent', async () => {
    const { source, cache, clock } = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    source.behave({ slowMs: 600 });
    const fetched = cache.fetch('a');
    await clock.advance(600);
    await fetched;
    expect(cache.inspect('a').ageMs).toBe(600);
    await clock.advance(400);
    expect(cache.get('a')).toBe('a');
    await clock.advance(1);
    expect(cache.get('a')).toBeUndefined();
  });

  test('that was slower than ttl goes to its caller, not into the store', async () => {
    const { source, cache, clock } = setUp<object>({ methods, rows: [['a', { n: 1 }]], ...TIMES });
    source.behave({ slowMs: 1_001 });
    const fetched = cache.fetch('a');
    const many = cache.fetchMany(['a', 'b']);
    await clock.advance(1_001);
    expect(await fetched).toEqual({ n: 1 });
    expect(Object.isFrozen(await fetched)).toBe(true);
    expect((await many).get('a')).toEqual({ n: 1 });
    expect(cache.has('a')).toBe(false);
    expect(cache.stats().entries).toBe(0);
  });

  test('that was exactly as slow as ttl is fresh when it lands', async () => {
    const { source, cache, clock } = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    source.behave({ slowMs: 1_000 });
    const fetched = cache.fetch('a');
    await clock.advance(1_000);
    expect(await fetched).toBe('a');
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', value: 'a', ageMs: 1_000 });
  });

  test('may come with an age of its own', async () => {
    const clock = new SteadyClock();
    const source: Source<string> = methods.includes('fetchOne')
      ? { fetchOne: async () => aged('a', 900) }
      : { fetchMany: async (keys) => new Map(keys.map((key) => [key, aged('a', 900)])) };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ...TIMES });
    expect(await cache.fetch('a')).toBe('a');
    expect([...(await cache.fetchMany(['b', 'c']))]).toEqual([
      ['b', 'a'],
      ['c', 'a'],
    ]);
    for (const key of 'abc') expect(cache.inspect(key)).toMatchObject({ state: 'fresh', ageMs: 900 });
    await clock.advance(101);
    expect(cache.size).toBe(0);
  });
});

test.each(WITH_SNAPSHOT)(
  'an entry keeps its own age until a refresh sent later confirms it ($shape)',
  async ({ methods }) => {
    if (methods.length === 1) return;
    const set = setUp<string>({
      methods,
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
      ttl: '10m',
      refreshInterval: '1m',
    });
    const { source, cache, clock } = set;
    await load(set);
    source.behave((_, method) => (method === 'fetchAll' ? 'hold' : 'answer'));
    const refresh = cache.refresh();
    await clock.advance('10s');
    await cache.fetch('a', { fresh: true });
    source.calls[1]!.answer();
    await refresh;
    await clock.advance('20s');
    expect(cache.inspect('a').ageMs).toBe(20_000);
    expect(cache.inspect('b').ageMs).toBe(30_000);
    source.behave('answer');
    await cache.refresh();
    expect([cache.inspect('a').ageMs, cache.inspect('b').ageMs]).toEqual([0, 0]);
    await cache.stop();
  },
);

describe.each(SHAPES)('time, with $shape', ({ methods }) => {
  test('is not the wall clock: a jump makes nothing older or younger', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    await load(set);
    set.source.behave('hang');
    for (const jump of [3_600_000, -7_200_000]) {
      set.clock.jumpWall(jump);
      await set.clock.advance(400);
      expect(set.cache.inspect('a').state).toBe('fresh');
    }
    set.clock.jumpWall(-3_600_000);
    await set.clock.advance(201);
    expect(set.cache.inspect('a').state).not.toBe('fresh');
    await set.cache.stop();
  });

  test('that passes while the process is suspended counts, from the next turn on', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('hang');
    clock.suspend('5s');
    await clock.advance(0);
    expect(cache.inspect('a').state).not.toBe('fresh');
    clock.suspend('7s');
    await clock.advance(0);
    expect(cache.get('a')).toBeUndefined();
    await cache.stop();
  });

  test('begins anew after everything was forgotten', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES, staleIfError: 0 });
    await load(set);
    await set.clock.advance(400);
    for (const forget of [() => set.cache.invalidateAll(), () => set.cache.stop(), () => set.cache.invalidate('a')]) {
      set.source.behave('hang');
      await forget();
      set.source.behave('answer');
      if (set.cache.status().state === 'stopped') await set.cache.start();
      await set.clock.advance('61s');
      await set.cache.fetch('a', { fresh: true });
      set.source.behave('hang');
      await set.clock.advance(1_000);
      expect(set.cache.get('a')).toBe('a');
      await set.clock.advance(1);
      expect(set.cache.get('a')).toBeUndefined();
    }
    await set.cache.stop();
  });

  test('may be endless: ttl and staleIfError of Infinity', async () => {
    for (const [ttl, staleIfError] of [
      [Number.POSITIVE_INFINITY, 0],
      [1_000, Number.POSITIVE_INFINITY],
    ] as const) {
      const set = setUp<string>({ methods, rows: [['a', 'a']], ttl, staleIfError });
      await load(set);
      set.source.behave('fail');
      await set.cache.fetch('b').catch(() => undefined);
      await set.clock.advance('1h');
      await set.cache.fetch('a', { fresh: true }).catch(() => undefined);
      set.clock.suspend('10000d');
      await set.clock.advance(1);
      expect(set.cache.get('a')).toBe('a');
      await set.cache.stop();
    }
  });

  test('with staleIfError of 0, nothing is served after ttl', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], ...TIMES, staleIfError: 0 });
    await load(set);
    set.source.behave('fail');
    await set.clock.advance(1_000);
    expect(set.cache.get('a')).toBe('a');
    await set.clock.advance(1);
    expect(set.cache.get('a')).toBeUndefined();
    await expect(set.cache.fetch('a')).rejects.toMatchObject({ cache: 'test' });
    await settle();
    await set.cache.stop();
  });
});
