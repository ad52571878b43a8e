import { describe, expect, test } from 'vitest';
import { TTLCacheService } from '../src/index.ts';
import { ScriptedSource, settle, VirtualClock } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);

describe.each(WITH_SNAPSHOT)('a whole refresh, with $shape', ({ methods }) => {
  test('reports what it did, and gives the same to its listeners', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abcd') });
    const { source, cache, clock } = set;
    const reports: unknown[] = [];
    cache.on('refresh', (report) => reports.push(report));
    await load(set);
    expect(reports[0]).toEqual({
      outcome: 'published',
      kind: 'snapshot',
      reason: 'start',
      generation: 1,
      added: 4,
      updated: 0,
      removed: 0,
      unchanged: 0,
      quarantined: 0,
      sampleKeys: ['a', 'b', 'c', 'd'],
      tookMs: 0,
    });
    source.rows.set('a', 'new').set('e', 'e');
    source.rows.delete('b');
    source.behave({ slowMs: 250 });
    const refreshed = cache.refresh();
    await clock.advance(250);
    const report = await refreshed;
    expect(report).toEqual({
      outcome: 'published',
      kind: 'snapshot',
      reason: 'manual',
      generation: 2,
      added: 1,
      updated: 1,
      removed: 1,
      unchanged: 2,
      quarantined: 0,
      sampleKeys: ['e', 'a', 'b'],
      tookMs: 250,
    });
    expect(reports[1]).toBe(report);
    expect(cache.status().lastRefresh).toBe(report);
    expect(cache.status().generation).toBe(2);
    source.behave('answer');
    expect(await cache.refresh({ full: true })).toMatchObject({ outcome: 'unchanged', generation: 2, unchanged: 4 });
    expect(cache.stats()).toMatchObject({ refreshes: 3, refreshFailures: 0 });
    source.behave('fail');
    expect(await cache.refresh()).toMatchObject({ outcome: 'failed', generation: 2, error: { code: 'source-failed' } });
    expect(cache.stats()).toMatchObject({ refreshes: 3, refreshFailures: 1 });
    await cache.stop();
  });

  test('names a few of the keys, not all', async () => {
    const set = setUp<string>({ methods, rows: Array.from({ length: 50 }, (_, index) => [`${index}`, 'x']) });
    await load(set);
    expect(set.cache.status().lastRefresh!.sampleKeys).toHaveLength(10);
    await set.cache.stop();
  });

  test('comes by the timer at 80 to 100 % of the interval, and at least every ttl/2', async () => {
    for (const [options, interval] of [
      [{ refreshInterval: '1m', ttl: '5m' }, 60_000],
      [{}, 60_000],
      [{ refreshInterval: '1h', ttl: '5m' }, 150_000],
      [{ ttl: '10s' }, 5_000],
    ] as const) {
      for (const [chance, share] of [
        [0, 1],
        [0.5, 0.9],
        [1, 0.8],
      ] as const) {
        const set = setUp<string>({ methods, rows: rowsOf('a'), ...options });
        set.clock.chance = chance;
        await load(set);
        for (let round = 1; round <= 3; round += 1) {
          expect(set.cache.status().nextRefreshInMs).toBe(interval * share);
          await set.clock.advance(interval * share - 1);
          expect(set.source.count()).toBe(round);
          await set.clock.advance(1);
          expect(set.source.count()).toBe(round + 1);
          expect(set.cache.status().lastRefresh!.reason).toBe('interval');
        }
        await set.cache.stop();
      }
    }
  });

  test('that is under way is not also to come', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a') });
    await load(set);
    set.source.behave('hold');
    await set.clock.advance('1m');
    expect(set.source.count()).toBe(2);
    expect('nextRefreshInMs' in set.cache.status()).toBe(false);
    await set.cache.stop();
  });

  test('that failed is tried again after random(0, min(30 s, 200 ms · 2^n)), then at its interval again', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a'), ttl: '1d', refreshInterval: '10m' });
    const { source, cache, clock } = set;
    clock.chance = 0.75;
    await load(set);
    // Not an outage, so that nothing but the backoff is seen.
    source.behave('refuse');
    await cache.refresh();
    for (let failures = 0; failures < 12; failures += 1) {
      const wait = Math.min(30_000, 200 * 2 ** failures) * 0.75;
      expect(cache.status().nextRefreshInMs).toBeCloseTo(wait, 6);
      await clock.advance(Math.ceil(wait));
    }
    source.behave('answer');
    await clock.advance('30s');
    expect(cache.status()).toMatchObject({ state: 'live' });
    expect(cache.status().nextRefreshInMs).toBeGreaterThan(400_000);
    source.behave('refuse');
    await cache.refresh();
    expect(cache.status().nextRefreshInMs).toBe(150);
    await cache.stop();
  });

  test('does not come before the breaker lets it through', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a') });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('fail');
    await clock.advance('20m');
    const failures = cache.stats().sourceFailures;
    // Each of the refreshes was a probe: none was turned away.
    expect(cache.stats().refreshFailures).toBe(failures);
    expect(failures).toBeLessThan(120);
    await cache.stop();
  });
});

describe('instances', () => {
  test('that started together do not stay in step', async () => {
    const times: number[] = [];
    for (let seed = 1; seed <= 20; seed += 1) {
      const clock = new VirtualClock(seed);
      const source = new ScriptedSource<string>({ clock, methods: ['fetchAll'] });
      const cache = new TTLCacheService<string>({ name: 'test', source, clock });
      await cache.start();
      times.push(Math.round(cache.status().nextRefreshInMs!));
      await cache.stop();
    }
    expect(new Set(times).size).toBeGreaterThan(15);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(48_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(60_000);
  });
});

describe.each(SHAPES)('a refresh of keys, with $shape', ({ methods }) => {
  const [all, one, many] = ['fetchAll', 'fetchOne', 'fetchMany'].map((method) => methods.includes(method as never));

  test('reads these keys again, held or not, and no others where the source can', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    for (const key of 'abc') source.rows.set(key, 'new');
    source.rows.set('d', 'new');
    source.rows.delete('c');
    const before = calls.length;
    const report = await cache.refresh({ keys: ['a', 'c', 'd', 'a', 'missing'] });
    expect(report).toMatchObject({
      outcome: 'published',
      reason: 'manual',
      added: 1,
      removed: 1,
      generation: all ? 2 : 1,
    });
    expect(report.kind).toBe(one || many ? 'delta' : 'snapshot');
    expect(cache.getMany(['a', 'c', 'd'])).toEqual(['new', undefined, 'new']);
    expect(cache.get('b')).toBe(one || many ? 'b' : 'new');
    const read = calls.slice(before);
    if (many) expect(read.map(({ keys }) => keys)).toEqual([['a', 'c', 'd', 'missing']]);
    else if (one) expect(read.map(({ keys }) => keys[0]).toSorted()).toEqual(['a', 'c', 'd', 'missing']);
    else expect(read).toHaveLength(1);
    if (one || many) expect(cache.inspect('c').state).toBe('absent');
    await cache.stop();
  });

  test('of no keys asks for nothing', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a') });
    await load(set);
    const before = set.source.count();
    expect((await set.cache.refresh({ keys: [] })).outcome).toBe('unchanged');
    if (one || many) expect(set.source.count()).toBe(before);
    await set.cache.stop();
  });

  test('with full reads everything', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    await load(set);
    for (const key of 'abc') set.source.rows.set(key, 'new');
    expect(await set.cache.refresh({ full: true, keys: ['a'] })).toMatchObject({ updated: 3 });
    await set.cache.stop();
  });

  test('of wrong keys is a TypeError', async () => {
    const { cache, source } = setUp({ methods });
    for (const keys of ['abc', null, 7, [undefined], {}]) {
      await expect(cache.refresh({ keys: keys as never })).rejects.toThrow(TypeError);
    }
    expect(source.count()).toBe(0);
  });

  test('that waits is not lost among others that wait, whatever they are', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache } = set;
    await load(set);
    source.rows.set('d', 'new').set('e', 'new');
    source.behave('hold');
    const running = cache.refresh({ keys: ['a'] });
    const waiting = [cache.refresh({ keys: ['d'] }), cache.refresh(), cache.refresh({ keys: ['e', 'd'] })];
    source.behave('answer');
    source.calls.at(-1)!.answer();
    await running;
    expect(new Set(await Promise.all(waiting)).size).toBe(1);
    expect(cache.getMany(['d', 'e'])).toEqual(['new', 'new']);
    await cache.stop();
  });

  test('does not put off the whole refresh that is due', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a'), refreshInterval: '1m' });
    await load(set);
    const due = set.cache.status().nextRefreshInMs!;
    await set.clock.advance(10_000);
    await set.cache.refresh({ keys: ['a'] });
    if (one || many) expect(set.cache.status().nextRefreshInMs).toBe(due - 10_000);
    await set.cache.stop();
  });
});

test('a refresh of very many keys is a whole snapshot where there is one', async () => {
  const keys = Array.from({ length: 1_001 }, (_, index) => `${index}`);
  const set = setUp<string>({ rows: keys.map((key) => [key, key]) });
  await load(set);
  expect((await set.cache.refresh({ keys: keys.slice(1) })).kind).toBe('delta');
  expect((await set.cache.refresh({ keys })).kind).toBe('snapshot');
  set.source.rows.set('7', 'new');
  await set.cache.invalidate(keys);
  await settle();
  expect(set.cache.status().lastRefresh).toMatchObject({ kind: 'snapshot', reason: 'invalidate' });
  expect(set.cache.get('7')).toBe('new');
  await set.cache.stop();
});

test('a manual refresh that joins a nudge is still one that is awaited, and that may be the probe', async () => {
  const set = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows: rowsOf('a') });
  const { source, cache, clock, calls } = set;
  clock.chance = 0.999;
  await load(set);
  source.behave('hold');
  const running = cache.refresh();
  await cache.invalidate('a');
  const joined = cache.refresh();
  source.behave('fail');
  for (let call = 1; call <= 3; call += 1) await cache.fetch('b').catch(() => undefined);
  expect(cache.status().breaker).toBe('open');
  source.behave('hold');
  calls[1]!.fail();
  await running;
  await settle();
  expect(clock.keepAliveTimers).toBe(1);
  calls.at(-1)!.answer();
  expect(await joined).toMatchObject({ outcome: 'published', reason: 'invalidate' });
  expect(cache.status().breaker).toBe('closed');
  await cache.stop();
});

test('the source is told why it is asked', async () => {
  const set = setUp<string>({ rows: rowsOf('ab') });
  const { cache, clock, calls } = set;
  await load(set);
  await cache.fetch('a', { fresh: true });
  await cache.fetchMany(['a', 'b'], { fresh: true });
  await cache.warm(['c']);
  await cache.refresh();
  await cache.invalidate('a');
  await settle();
  await clock.advance('1m');
  expect(calls.map(({ context }) => context.reason)).toEqual([
    'start',
    'fetch',
    'fetch',
    'warm',
    'manual',
    'invalidate',
    'interval',
  ]);
  await cache.stop();
});

test('ten thousand invalidations while a refresh is under way cost what their keys cost', async () => {
  const { source, cache } = setUp<string>({ rows: [['a', 'a']] });
  source.behave('hang');
  void cache.start();
  await settle();
  const before = performance.now();
  for (let n = 0; n < 20_000; n += 1) void cache.invalidate(`${n}`);
  // Quadratic work took 16 seconds here; a generous bound, because this is no bench.
  expect(performance.now() - before).toBeLessThan(2_000);
  await cache.stop();
});
