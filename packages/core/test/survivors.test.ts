/** What only one fault in the code can break, and no other test would notice: see `mutants`. */
import { describe, expect, test } from 'vitest';
import { Fence } from '../src/fence.ts';
import { aged, CacheRegistry, type Source, type StandardSchema, TTLCacheService } from '../src/index.ts';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, SteadyClock, setUp, WITH_KEYS } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);
const noBad: StandardSchema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (value === 'bad' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
  },
};

describe('flights', () => {
  test.each(WITH_KEYS)(
    'an older flight that lands leaves the younger one to those who come ($shape)',
    async ({ methods }) => {
      const { source, cache, calls } = setUp<string>({ methods, rows: rowsOf('a') });
      source.behave('hold');
      const older = cache.fetch('a');
      await cache.invalidate('a');
      const younger = cache.fetch('a');
      calls[0]!.answer();
      await older;
      const next = cache.fetch('a');
      expect(calls).toHaveLength(2);
      calls[1]!.answer();
      expect(await Promise.all([younger, next])).toEqual(['a', 'a']);
    },
  );

  test.each(SHAPES)(
    'several odd keys that do not exist are absent, and nothing that every object has ($shape)',
    async ({ methods }) => {
      const { cache } = setUp<string>({ methods, rows: rowsOf('a') });
      const found = await cache.fetchMany(['constructor', 'a', 'toString', '__proto__', 'hasOwnProperty']);
      expect([...found]).toEqual([['a', 'a']]);
    },
  );

  test.each(WITH_KEYS)(
    'a bad row in an answer of several keys fails its own key alone ($shape)',
    async ({ methods }) => {
      const { cache } = setUp<string>({
        methods,
        schema: noBad,
        rows: [
          ['a', 'a'],
          ['b', 'bad'],
          ['c', 'c'],
        ],
      });
      const error = await cache.fetchMany(['a', 'b', 'c']).catch((error: unknown) => error);
      expect(error).toMatchObject({ code: 'source-failed', partial: new Map(rowsOf('ac')) });
      expect(cache.getMany(['a', 'b', 'c'])).toEqual(['a', undefined, 'c']);
    },
  );
});

test('a key that is written all the time makes the fence keep no marks of others', () => {
  const fence = new Fence();
  let older = fence.open();
  fence.invalidate('hot');
  for (let n = 0; n < 1_000; n += 1) {
    fence.invalidate(`cold ${n}`);
    // Something is always under way, but nothing for long.
    const newer = fence.open();
    fence.invalidate('hot');
    fence.close(older);
    older = newer;
    expect([...fence.keysMarkedAfter(0)].length).toBeLessThan(10);
  }
});

test('a map that the source answers stays its own: what it writes there is not read here', async () => {
  const rows = new Map([['a', 'a']]);
  const cache = new TTLCacheService<string>({
    name: 'test',
    source: { fetchAll: async () => rows },
    clock: new SteadyClock(),
  });
  await cache.refresh();
  rows.set('a', 'written').set('b', 'written');
  expect([...cache.entries()]).toEqual([['a', 'a']]);
});

test('an open snapshot stays as it was when the whole set is replaced, and the new one changes', async () => {
  const set = setUp<string>({ methods: ['fetchAll', 'fetchOne'], rows: rowsOf('ab') });
  const { source, cache } = set;
  await load(set);
  using snapshot = cache.snapshot();
  source.rows.set('a', 'second').set('c', 'second');
  await cache.refresh();
  source.rows.set('a', 'third').set('c', 'third');
  await cache.fetchMany(['a', 'c'], { fresh: true });
  expect([...snapshot.entries()]).toEqual(rowsOf('ab'));
  expect([snapshot.get('a'), snapshot.has('c')]).toEqual(['a', false]);
  await cache.stop();
});

test('a registry waits for all its caches, though one of them cannot start', async () => {
  const clock = new SteadyClock();
  const registry = new CacheRegistry();
  const slow = Promise.withResolvers<Iterable<readonly [string, string]>>();
  const broken = { fetchAll: () => Promise.reject(new Error('down')) };
  for (const [name, source] of Object.entries({ broken, slow: { fetchAll: () => slow.promise } })) {
    registry.register(new TTLCacheService<string>({ name, source, clock, onStartFailure: 'throw' }));
  }
  let told: unknown;
  const started = registry.startAll().catch((error: unknown) => {
    told = error;
  });
  await settle();
  expect(told).toBeUndefined();
  slow.resolve(rowsOf('a'));
  await started;
  expect(told).toMatchObject({ cache: 'broken', code: 'source-failed' });
  await registry.stopAll();
});

describe('following changes', () => {
  const FOLLOWING: readonly SourceMethod[] = ['fetchAll', 'fetchChanges'];

  test('a delta does not overwrite what was fetched after it was sent', async () => {
    const set = setUp<string>({ methods: [...FOLLOWING, 'fetchOne'], rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.rows.set('a', 'second');
    source.rows.delete('b');
    source.behave((_, method) => (method === 'fetchChanges' ? 'hold' : 'answer'));
    const refreshed = cache.refresh();
    await settle();
    source.rows.set('a', 'third').set('b', 'third');
    await cache.fetchMany(['a', 'b'], { fresh: true });
    const read: unknown[] = [];
    cache.on('change', () => read.push(cache.getMany(['a', 'b'])));
    calls[1]!.answer();
    expect(await refreshed).toMatchObject({ kind: 'delta', updated: 0, removed: 0 });
    expect(cache.getMany(['a', 'b'])).toEqual(['third', 'third']);
    expect(read).toEqual([]);
    await cache.stop();
  });

  test('a set that is gone, or was invalidated, is not asked for its changes', async () => {
    const set = setUp<string>({ methods: FOLLOWING, rows: rowsOf('a'), ttl: '1m', staleIfError: '1m' });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('refuse');
    await clock.advance('3m');
    source.behave('answer');
    const before = source.count('fetchChanges');
    expect(await cache.refresh()).toMatchObject({ kind: 'snapshot', added: 1 });
    await cache.invalidateAll();
    await settle();
    expect(cache.size).toBe(1);
    expect(source.count('fetchChanges')).toBe(before);
    await cache.stop();
  });

  test('a delta that turns out to be wrong at its last word has shown nothing of what it said before', async () => {
    const set = setUp<string>({ methods: FOLLOWING, rows: rowsOf('ab') });
    const { source, cache } = set;
    await load(set);
    source.behave({ lie: [['a', 'new']], deletes: ['b'], cursor: undefined });
    expect(await cache.refresh()).toMatchObject({ outcome: 'failed', kind: 'delta' });
    expect([...cache.entries()]).toEqual(rowsOf('ab'));
    await cache.stop();
  });
});

describe('ages', () => {
  test('a set that is just as old as its ttl when it comes is fresh', async () => {
    const clock = new SteadyClock();
    const source: Source<string> = { fetchAll: async () => ({ entries: rowsOf('a'), ageMs: 1_000 }) };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ttl: 1_000 });
    await cache.start();
    expect([cache.get('a'), cache.stats().staleHits, cache.status().state]).toEqual(['a', 0, 'live']);
    await clock.advance(1);
    expect([cache.get('a'), cache.stats().staleHits, cache.status().state]).toEqual(['a', 1, 'degraded']);
    await cache.stop();
  });

  test('an entry that falls due before all others is not kept waiting for them', async () => {
    const clock = new SteadyClock();
    const source: Source<string> = { fetchOne: async (key) => (key === 'old' ? aged('old', 900) : key) };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ttl: 1_000 });
    await cache.fetch('new');
    await cache.fetch('old');
    await clock.advance(100);
    expect(cache.getMany(['old', 'new'])).toEqual(['old', 'new']);
    await clock.advance(1);
    expect(cache.getMany(['old', 'new'])).toEqual([undefined, 'new']);
  });

  test.each(WITH_KEYS)(
    'an answer slower than ttl is not served later, as a stale one either ($shape)',
    async ({ methods }) => {
      const { source, cache, clock } = setUp<string>({ methods, rows: rowsOf('a'), ttl: 1_000, staleIfError: '1h' });
      source.behave({ slowMs: 1_001 });
      const fetched = cache.fetch('a');
      await clock.advance(1_001);
      expect(await fetched).toBe('a');
      source.behave('fail');
      await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed' });
    },
  );
});
