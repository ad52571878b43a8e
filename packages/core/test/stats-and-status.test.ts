import { describe, expect, test } from 'vitest';
import { TTLCacheService } from '../src/index.ts';
import { ScriptedSource } from '../testing/index.ts';
import { load, SHAPES, SteadyClock, setUp, WITH_KEYS } from './support/set-up.ts';

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('every read counts once: as a hit, a stale hit, an absent hit or a miss', async () => {
    const set = setUp<string>({
      methods,
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
      refreshTimeout: '10s',
    });
    const { cache, clock, source } = set;
    const counted = async (read: () => unknown): Promise<number[]> => {
      const before = cache.stats();
      await read();
      const after = cache.stats();
      return (['hits', 'staleHits', 'absentHits', 'misses'] as const).map((name) => after[name] - before[name]);
    };
    expect(await counted(() => cache.get('a'))).toEqual([0, 0, 0, 1]);
    expect(await counted(() => cache.fetch('a'))).toEqual([0, 0, 0, 1]);
    expect(await counted(() => cache.fetch('b', { fresh: true }))).toEqual([0, 0, 0, 1]);
    expect(await counted(() => cache.get('a'))).toEqual([1, 0, 0, 0]);
    expect(await counted(() => cache.fetch('a'))).toEqual([1, 0, 0, 0]);
    expect(await counted(() => cache.getMany(['a', 'b', 'c']))).toEqual([2, 0, 0, 1]);
    expect(await counted(() => cache.fetch('c', { fresh: true }))).toEqual([0, 0, 0, 1]);
    expect(await counted(() => cache.fetch('c'))).toEqual([0, 0, 1, 0]);
    expect(await counted(() => cache.fetchMany(['a', 'b', 'c']))).toEqual([2, 0, 1, 0]);
    expect(await counted(() => cache.derive((value) => value).get('a'))).toEqual([1, 0, 0, 0]);
    // Neither of these is a read.
    const looks = [() => cache.has('a'), () => cache.inspect('a'), () => [...cache.entries()], () => cache.status()];
    for (const look of looks) expect(await counted(look)).toEqual([0, 0, 0, 0]);
    await clock.advance('6m');
    source.behave('fail');
    expect(await counted(() => cache.fetch('a'))).toEqual([1, 1, 0, 0]);
    expect(await counted(() => cache.get('a'))).toEqual([1, 1, 0, 0]);
    expect(await counted(() => cache.getMany(['a', 'd', 'a']))).toEqual([2, 2, 0, 1]);
    expect(await counted(() => cache.fetch('d').catch(() => undefined))).toEqual([0, 0, 0, 1]);
    source.behave('answer');
    expect(await counted(() => cache.fetch('a'))).toEqual([0, 0, 0, 1]);
  });

  test('the rest of the counters', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']] });
    const { cache, source } = set;
    await load(set);
    await cache.invalidate(['a', 'b']);
    await cache.invalidateAll();
    source.behave('fail');
    await cache.fetch('a').catch(() => undefined);
    await cache.stop();
    expect(cache.stats()).toMatchObject({ invalidations: 3, entries: 0, negatives: 0, quarantined: 0, evictions: 0 });
    expect(cache.stats().sourceCalls).toBe(source.count());
    expect(cache.stats().sourceFailures).toBeGreaterThan(0);
  });

  test('status says how the cache is doing, as plain data', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']] });
    const { cache, clock, source } = set;
    await load(set);
    await clock.advance('10s');
    const status = cache.status();
    expect(status).toMatchObject({ name: 'test', state: 'live', size: 1, breaker: 'closed', quarantine: [] });
    expect(status.ageMs).toBe(source.fetchAll ? 10_000 : undefined);
    expect(status.generation).toBe(source.fetchAll ? 1 : 0);
    expect(structuredClone({ ...status, lastRefresh: undefined })).toBeDefined();
    expect(JSON.parse(JSON.stringify(cache.stats()))).toEqual(cache.stats());
    expect('source' in status).toBe(false);
    await cache.stop();
    expect(cache.status()).toMatchObject({ state: 'stopped', ageMs: undefined, size: 0 });
    expect('nextRefreshInMs' in cache.status()).toBe(false);
  });

  test('inspect says what is known of a key', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']] });
    const { cache, clock } = set;
    await load(set);
    const generation = cache.status().generation;
    await clock.advance('5s');
    expect(cache.inspect('a')).toEqual({ state: 'fresh', value: 'a', ageMs: 5_000, generation });
    await cache.fetch('b', { fresh: true });
    expect(cache.inspect('b')).toEqual({ state: 'absent', ageMs: 0, generation });
    set.source.behave('hang');
    await cache.invalidate(['a', 'b']);
    expect(cache.inspect('a')).toEqual({ state: 'unknown', generation });
    expect(cache.inspect('b')).toEqual({ state: 'unknown', generation });
    await cache.stop();
  });

  test('warm counts different keys, and does not throw', async () => {
    const set = setUp<string>({
      methods,
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
    });
    const { cache, source } = set;
    expect(await cache.warm(['a', 'b', 'a', 'missing'])).toEqual({ requested: 3, loaded: 2, absent: 1, failed: 0 });
    expect(cache.getMany(['a', 'b'])).toEqual(['a', 'b']);
    source.behave('fail');
    await set.clock.advance('11s');
    expect(await cache.warm(new Set(['a', 'gone']))).toEqual({ requested: 2, loaded: 1, absent: 0, failed: 1 });
    expect(await cache.warm([])).toEqual({ requested: 0, loaded: 0, absent: 0, failed: 0 });
    await expect(cache.warm('ab')).rejects.toThrow('expected an iterable of keys, got string');
    await expect(cache.warm([7] as never)).rejects.toThrow('expected a key to be a string, got number');
    await expect(cache.warm(undefined as never)).rejects.toThrow(TypeError);
  });
});

describe('state', () => {
  test('is degraded while the source fails, the last refresh failed, or the set is older than its ttl', async () => {
    const set = setUp<string>({ rows: [['a', 'a']], methods: ['fetchAll', 'fetchOne'], refreshTimeout: '1h' });
    const { cache, source, clock } = set;
    await load(set);
    expect(cache.status().state).toBe('live');
    source.behave('refuse');
    await cache.refresh();
    expect(cache.status()).toMatchObject({ state: 'degraded', breaker: 'closed' });
    // Single fetches work, but the refresh is still due.
    source.behave('answer');
    await cache.fetch('a', { fresh: true });
    expect(cache.status().state).toBe('degraded');
    await cache.refresh();
    expect(cache.status().state).toBe('live');
    source.behave('fail');
    await cache.fetch('b').catch(() => undefined);
    expect(cache.status().state).toBe('degraded');
    source.behave('answer');
    await cache.fetch('b');
    expect(cache.status().state).toBe('live');
    source.behave('hang');
    await clock.advance(300_001);
    expect(cache.status().state).toBe('degraded');
    await cache.stop();
  });

  test.each(WITH_KEYS)('follows the breaker that another cache has opened ($shape)', async ({ methods }) => {
    const clock = new SteadyClock();
    const source = new ScriptedSource<string>({ clock, methods, rows: [['a', 'a']] });
    const [cache, other] = ['cache', 'other'].map((name) => new TTLCacheService<string>({ name, source, clock }));
    await cache!.start();
    await cache!.fetch('a');
    source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await other!.fetch('a').catch(() => undefined);
    expect(cache!.status()).toMatchObject({ state: 'degraded', breaker: 'open' });
    source.behave('answer');
    await other!.refresh({ keys: ['a'] });
    expect(cache!.status()).toMatchObject({ state: 'live', breaker: 'closed' });
    await cache!.stop();
  });

  test('what the source says of itself is passed on', async () => {
    const source = { fetchOne: async () => 'a', status: () => ({ tier: 'snapshot' }) };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock: new SteadyClock() });
    expect(cache.status().source).toEqual({ tier: 'snapshot' });
  });
});

describe('reports', () => {
  test('are those of the last hundred refreshes, the oldest first, also after stop and another start', async () => {
    const set = setUp<string>({ rows: [['a', 'a']], methods: ['fetchAll'] });
    const { cache, source } = set;
    expect(cache.reports()).toEqual([]);
    const told: unknown[] = [];
    cache.on('refresh', (report) => told.push(report));
    await load(set);
    for (let round = 0; round < 70; round += 1) {
      source.rows.set('a', `${round}`);
      await cache.refresh();
    }
    expect(cache.reports()).toEqual(told);
    await cache.stop();
    expect(cache.reports()).toHaveLength(71);
    expect('lastRefresh' in cache.status()).toBe(true);
    await cache.start();
    source.behave('refuse');
    for (let round = 0; round < 70; round += 1) await cache.refresh();
    const kept = cache.reports();
    expect(kept).toHaveLength(100);
    expect(kept.every((report, index) => report === told.slice(-100)[index])).toBe(true);
    expect(kept[0]).toMatchObject({ reason: 'manual', outcome: 'published' });
    expect(kept.at(-1)).toMatchObject({ outcome: 'failed', error: { code: 'source-failed' } });
    expect(kept.at(-1)).toBe(cache.status().lastRefresh);
    await cache.stop();
  });

  test('once handed out do not change any more', async () => {
    const set = setUp<string>({ rows: [['a', 'a']] });
    await load(set);
    const before = set.cache.reports();
    await set.cache.refresh();
    expect(before).toHaveLength(1);
    (before as unknown[]).length = 0;
    expect(set.cache.reports()).toHaveLength(2);
    await set.cache.stop();
  });
});

test('a report is of what has been: whoever got it cannot change what others get', async () => {
  const { cache } = setUp<string>({ rows: [['a', 'a']] });
  for (const options of [{}, { dryRun: true }, { keys: ['a'] }]) {
    const report = await cache.refresh(options);
    expect(() => Object.assign(report, { outcome: 'failed' })).toThrow(TypeError);
    expect(() => (report.sampleKeys as string[]).push('more')).toThrow(TypeError);
  }
  expect(cache.reports().map(({ outcome }) => outcome)).toEqual(['published', 'unchanged']);
  await cache.stop();
});

test('a source that cannot say how it is doing takes nothing from the status but its own part', async () => {
  const cache = new TTLCacheService<string>({
    name: 'test',
    source: {
      fetchAll: async () => [['a', 'a']] as const,
      status: () => {
        throw new Error('the pool has ended');
      },
    },
  });
  await cache.start();
  expect(cache.status()).toMatchObject({ state: 'live', size: 1, source: { error: 'the pool has ended' } });
  await cache.stop();
});
