import { describe, expect, test } from 'vitest';
import type { CacheChange } from '../src/index.ts';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, { v: string }])[] => [...text].map((key) => [key, { v: key }]);
const FOLLOWING = WITH_SNAPSHOT.map(({ shape, methods }) => ({
  shape,
  methods: [...methods, 'fetchChanges'] as readonly SourceMethod[],
}));

describe.each(FOLLOWING)('following changes, with $shape', ({ methods }) => {
  test('a refresh reads what has changed, and nothing else', async () => {
    const cases = [
      { set: 'e', removed: 0, added: 1, updated: 0 },
      { set: 'b', removed: 0, added: 0, updated: 1 },
      { set: '', delete: 'cd', removed: 2, added: 0, updated: 0 },
      { set: 'abef', delete: 'cd', removed: 2, added: 2, updated: 2 },
      { set: '', delete: 'xy', removed: 0, added: 0, updated: 0 },
    ];
    for (const { set: written, delete: deleted = '', ...counts } of cases) {
      const set = setUp<{ v: string }>({ methods, rows: rowsOf('abcd') });
      const { source, cache, calls } = set;
      await load(set);
      const before = new Map(cache.entries());
      const changes: CacheChange[] = [];
      cache.on('change', (change) => changes.push(change));
      for (const key of written) source.rows.set(key, { v: 'new' });
      for (const key of deleted) source.rows.delete(key);
      const generation = written + deleted === 'xy' ? 1 : 2;
      const outcome = generation === 1 ? 'unchanged' : 'published';
      const report = await cache.refresh();
      expect(report).toMatchObject({ kind: 'delta', outcome, generation, reason: 'manual', ...counts });
      expect(calls.map(({ method }) => method)).toEqual(['fetchAll', 'fetchChanges']);
      expect(new Map(cache.entries())).toEqual(source.rows);
      for (const [key, row] of before) if (!(written + deleted).includes(key)) expect(cache.get(key)).toBe(row);
      expect(changes.map(({ added, updated, removed }) => [added, updated, removed])).toEqual(
        generation === 1
          ? []
          : [
              [
                [...written].filter((key) => !before.has(key)),
                [...written].filter((key) => before.has(key)),
                [...deleted],
              ],
            ],
      );
      await cache.stop();
    }
  });

  test('a row that comes again with an equal value keeps its object, and is no change', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab') });
    const { source, cache } = set;
    await load(set);
    const [a] = cache.getMany(['a']);
    source.rows.set('a', { v: 'a' });
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged', unchanged: 1, generation: 1 });
    expect(cache.get('a')).toBe(a);
    source.rows.set('a', { v: 'new' });
    await cache.refresh();
    expect(Object.isFrozen(cache.get('a'))).toBe(true);
    await cache.stop();
  });

  test('an empty delta confirms everything: what was stale is fresh', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab'), ttl: '5m' });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('fail');
    await clock.advance('6m');
    expect(cache.inspect('a').state).toBe('stale');
    expect(cache.status()).toMatchObject({ state: 'degraded' });
    source.behave('answer');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged', generation: 1 });
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', ageMs: 0 });
    expect(cache.status()).toMatchObject({ state: 'live', ageMs: 0 });
    const { staleHits } = cache.stats();
    cache.get('a');
    expect(cache.stats().staleHits).toBe(staleHits);
    expect(source.count('fetchAll')).toBe(1);
    await cache.stop();
  });

  test('each delta goes on where the last one ended, also after some that failed', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('abc'), refreshTimeout: '5s' });
    const { source, cache, clock, calls } = set;
    await load(set);
    source.rows.set('a', { v: 'new' });
    await cache.refresh();
    source.rows.set('b', { v: 'new' });
    source.rows.delete('c');
    for (const failure of ['fail', 'refuse', 'half', 'hang'] as const) {
      source.behave(failure);
      const refreshed = cache.refresh();
      if (failure === 'hang') await clock.advance('5s');
      expect(await refreshed).toMatchObject({ kind: 'delta', outcome: 'failed', generation: 2 });
      expect(cache.getMany([...'abc'])).toEqual([{ v: 'new' }, { v: 'b' }, { v: 'c' }]);
      expect(cache.status().ageMs).toBe(failure === 'hang' ? 5_000 : 0);
    }
    source.behave('answer');
    // The one that was tried again by itself hangs too, and is tried again.
    await clock.advance('11s');
    expect(cache.reports().at(-1)).toMatchObject({ kind: 'delta', outcome: 'published', updated: 1, removed: 1 });
    await cache.refresh();
    const since = calls.slice(1).map(({ since }) => since);
    expect(since).toEqual([3, ...Array.from({ length: since.length - 2 }, () => 4), 6]);
    expect(source.count('fetchAll')).toBe(1);
    await cache.stop();
  });

  test('a refresh by the timer reads what has changed too', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('abc'), refreshInterval: '1m' });
    const { source, cache, clock } = set;
    await load(set);
    source.rows.set('a', { v: 'new' });
    await clock.advance('1m');
    expect(cache.get('a')).toEqual({ v: 'new' });
    expect(cache.status().lastRefresh).toMatchObject({ kind: 'delta', reason: 'interval' });
    expect(source.count('fetchAll')).toBe(1);
    await cache.stop();
  });

  test('shows nothing of a delta before all of it is there', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('abcd') });
    const { source, cache, calls } = set;
    await load(set);
    for (const key of 'abc') source.rows.set(key, { v: 'new' });
    source.rows.delete('d');
    source.behave('pause');
    const refreshed = cache.refresh();
    await settle();
    expect([...cache.entries()]).toEqual(rowsOf('abcd'));
    expect(cache.status().generation).toBe(1);
    calls.at(-1)!.answer();
    await refreshed;
    expect([...cache.entries()]).toEqual([...source.rows]);
    await cache.stop();
  });

  test('with full reads a whole snapshot, and goes on from there', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab') });
    const { source, cache, calls } = set;
    await load(set);
    source.rows.set('a', { v: 'new' });
    expect(await cache.refresh({ full: true })).toMatchObject({ kind: 'snapshot', reason: 'manual', updated: 1 });
    await cache.refresh();
    expect(calls.map(({ method, since }) => [method, since])).toEqual([
      ['fetchAll', undefined],
      ['fetchAll', undefined],
      ['fetchChanges', source.cursor],
    ]);
    await cache.stop();
  });

  test('a resync is a whole snapshot in the same round; what it has not changed keeps its object', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    const b = cache.get('b');
    source.rows.set('a', { v: 'new' }).set('b', { v: 'b' });
    source.rows.delete('c');
    source.behave('resync');
    const report = await cache.refresh();
    expect(report).toMatchObject({ kind: 'snapshot', reason: 'resync', updated: 1, removed: 1, unchanged: 1 });
    expect(calls.at(-1)!.context.reason).toBe('resync');
    expect(cache.reports()).toHaveLength(2);
    expect([...cache.entries()]).toEqual([...source.rows]);
    expect(cache.get('b')).toBe(b);
    source.behave('answer');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', reason: 'manual' });
    expect(calls.at(-1)!.since).toBe(source.cursor);
    await cache.stop();
  });

  test('begins with a snapshot: after the start, after stop, after invalidateAll, and when the set is gone', async () => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab'), ttl: '1m', staleIfError: '1m' });
    const { source, cache, clock } = set;
    const snapshots = async (step: () => Promise<unknown>): Promise<number> => {
      const before = source.count('fetchAll');
      await step();
      await settle();
      return source.count('fetchAll') - before;
    };
    expect(await snapshots(() => cache.start())).toBe(1);
    expect(await snapshots(() => cache.refresh())).toBe(0);
    expect(await snapshots(() => cache.invalidateAll())).toBe(1);
    expect(await snapshots(() => cache.refresh())).toBe(0);
    await cache.stop();
    expect(await snapshots(() => cache.start())).toBe(1);
    source.behave((_, method) => (method === 'fetchChanges' ? 'fail' : 'answer'));
    await clock.advance('2m');
    source.behave('answer');
    expect(cache.size).toBe(2);
    expect(await snapshots(() => cache.refresh())).toBe(0);
    source.behave((_, method) => (method === 'fetchChanges' ? 'fail' : 'answer'));
    expect(await snapshots(() => clock.advance('3m'))).toBeGreaterThan(0);
    await cache.stop();
  });

  test('a delta that arrives when there is nothing left for it to correct is a snapshot instead', async () => {
    for (const end of ['invalidated', 'too old'] as const) {
      const times = { ttl: '1m', staleIfError: '1m', refreshTimeout: '1h', refreshInterval: '1m' } as const;
      const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab'), ...times });
      const { source, cache, clock, calls } = set;
      await load(set);
      await clock.advance('20s');
      source.behave((_, method) => (method === 'fetchChanges' ? 'hold' : 'answer'));
      const refreshed = cache.refresh();
      await settle();
      if (end === 'invalidated') await cache.invalidateAll();
      else await clock.advance('101s');
      expect(cache.size).toBe(0);
      const [delta] = calls.filter(({ method }) => method === 'fetchChanges');
      delta!.answer();
      expect(await refreshed).toMatchObject({ kind: 'snapshot', reason: 'manual', added: 2 });
      expect([...cache.entries()]).toEqual([...source.rows]);
      await cache.stop();
    }
  });
});

test.each(FOLLOWING.slice(1))(
  'a row that was fetched while a delta was read keeps its object ($shape)',
  async ({ methods }) => {
    const set = setUp<{ v: string }>({ methods, rows: rowsOf('ab') });
    const { source, cache, calls } = set;
    await load(set);
    for (const key of 'ab') source.rows.set(key, { v: 'new' });
    source.behave('hold');
    const fetched = cache.fetch('a', { fresh: true });
    source.behave('pause');
    const refreshed = cache.refresh();
    await settle();
    // An equal row, but another object: that of the delta has been compared already.
    calls.at(-2)!.answer([['a', { v: 'new' }]]);
    const a = await fetched;
    expect(cache.get('a')).toBe(a);
    calls.at(-1)!.answer();
    await refreshed;
    expect(cache.get('a')).toBe(a);
    await cache.stop();
  },
);

test.each(FOLLOWING.filter(({ methods }) => methods.includes('fetchOne')))(
  'an empty delta brings back what was fetched singly and is too old to be seen ($shape)',
  async ({ methods }) => {
    // It is not started: nobody sees to it that what it holds stays true, so nothing is seen past its ttl.
    const { cache, clock } = setUp<{ v: string }>({ methods, rows: rowsOf('ab'), ttl: '5m' });
    await cache.refresh();
    await clock.advance('1m');
    const value = await cache.fetch('a', { fresh: true });
    await clock.advance('6m');
    expect(cache.inspect('a').state).toBe('unknown');
    expect(await cache.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged' });
    expect(cache.get('a')).toBe(value);
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', ageMs: 0 });
    await cache.stop();
  },
);
