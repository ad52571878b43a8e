/** As in `survivors.test.ts`: what refreshes and the guard do that only one fault would break. */
import { describe, expect, test } from 'vitest';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, ON_DEMAND, type SetUp, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);
const numbered = (count: number): (readonly [string, string])[] =>
  Array.from({ length: count }, (_, n) => [`${n}`, 'row']);

describe.each(WITH_SNAPSHOT)('refreshes, with $shape', ({ methods }) => {
  test('a refresh by the timer that is past its deadline writes nothing when it is answered', async () => {
    const set = setUp<string>({ methods, rows: rowsOf('a'), refreshTimeout: '10s', refreshInterval: '1m' });
    const { source, cache, clock, calls } = set;
    await load(set);
    source.rows.set('a', 'late');
    source.behave('hold');
    await clock.advance('1m');
    await clock.advance('10s');
    calls[1]!.answer();
    await settle();
    expect(cache.get('a')).toBe('a');
    await cache.stop();
  });

  test('who hears of a change reads what has changed', async () => {
    for (const all of [methods, [...methods, 'fetchChanges'] as readonly SourceMethod[]]) {
      const set = setUp<string>({ methods: all, rows: rowsOf('abc') });
      const { source, cache } = set;
      await load(set);
      const read: unknown[] = [];
      cache.on('change', ({ generation }) => read.push(generation, cache.status().generation, ...cache.entries()));
      source.rows.set('a', 'new').set('d', 'd');
      source.rows.delete('b');
      await cache.refresh();
      expect(read).toEqual([2, 2, ['a', 'new'], ...rowsOf('cd')]);
      await cache.stop();
    }
  });
});

describe.each(WITH_SNAPSHOT)('what is held, with $shape', ({ methods }) => {
  test('is no smaller a catastrophe for rows that come meanwhile', async () => {
    for (const [before, lost, come] of [
      [40, 30, 100],
      [3, 3, 2],
    ] as const) {
      const rows = numbered(before);
      const set = setUp<string>({ methods, rows, guard: { acceptAfter: 5 }, refreshInterval: '1h', ttl: '2h' });
      const { source, cache } = set;
      await load(set);
      for (const [key] of rows.slice(0, lost)) source.rows.delete(key);
      for (let answer = 1; answer < 5; answer += 1) {
        expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: lost, removed: 0 });
        for (let n = 0; n < come; n += 1) source.rows.set(`new ${answer} ${n}`, 'new');
      }
      expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: lost });
      await cache.stop();
    }
  });

  test('is released when its age ends, though no refresh has looked at it since', async () => {
    const set = setUp<string>({ methods, rows: numbered(40), guard: {}, ttl: '5m', staleIfError: '5m' });
    const { source, cache, clock } = set;
    await load(set);
    await clock.advance('30s');
    for (let n = 0; n < 30; n += 1) source.rows.delete(`${n}`);
    expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 30 });
    source.behave('fail');
    await clock.advance(570_000);
    expect(cache.status()).toMatchObject({ size: 40, held: { keys: 30 } });
    await clock.advance(1);
    expect(cache.size).toBe(10);
    expect([cache.status().held, cache.accept()]).toEqual([undefined, false]);
    await cache.stop();
  });

  test('and is accepted while a snapshot is read, comes back by the next one, and is told of', async () => {
    const set = setUp<string>({ methods, rows: numbered(40), guard: {} });
    const { source, cache, calls } = set;
    await load(set);
    for (let n = 0; n < 30; n += 1) source.rows.delete(`${n}`);
    await cache.refresh();
    for (const [key, row] of numbered(40)) source.rows.set(key, row);
    source.behave('pause');
    const refreshed = cache.refresh();
    // Half of it has been compared with what is held.
    await settle();
    expect(cache.accept()).toBe(true);
    const added: string[] = [];
    cache.on('change', (change) => added.push(...change.added));
    source.behave('answer');
    calls.at(-1)!.answer();
    await refreshed;
    expect(cache.size).toBe(10 + added.length);
    await cache.refresh();
    expect([cache.size, added.length, new Set(added).size]).toEqual([40, 30, 30]);
    await cache.stop();
  });
});

test('a refresh of keys keeps the equal object that a fetch has stored while it waited for other keys', async () => {
  const set = setUp<object>({
    methods: ['fetchAll', 'fetchOne'],
    rows: [
      ['a', { n: 1 }],
      ['b', { n: 1 }],
    ],
  });
  const { source, cache, calls } = set;
  await load(set);
  source.behave('hold');
  source.rows.set('a', { n: 2 });
  const fetched = cache.fetch('a', { fresh: true });
  source.rows.set('a', { n: 2 });
  const refreshed = cache.refresh({ keys: ['a', 'b'] });
  await settle();
  calls[2]!.answer();
  await settle();
  calls[1]!.answer();
  const a = await fetched;
  expect(cache.get('a')).toBe(a);
  calls[3]!.answer();
  expect(await refreshed).toMatchObject({ outcome: 'unchanged', unchanged: 2 });
  expect(cache.get('a')).toBe(a);
  await cache.stop();
});

test('a fetch that needs another snapshot at the end of one waits for the one that waits already', async () => {
  const { source, cache, calls } = setUp<string>({ methods: ['fetchAll'], rows: rowsOf('a') });
  source.behave('hold');
  const started = cache.start();
  const fetched = cache.fetch('b');
  await settle();
  // Too late for the snapshot under way: the fetch needs the next one, and so does the invalidation.
  source.rows.set('b', 'b');
  await cache.invalidate('b');
  calls[0]!.answer();
  await started;
  await settle();
  expect(calls).toHaveLength(2);
  calls[1]!.answer();
  expect(await fetched).toBe('b');
  expect(calls).toHaveLength(2);
  await cache.stop();
});

describe('refreshes that wait together', () => {
  const FOLLOWING: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchChanges'];

  /** One that runs is held, those of `ask` wait; then it is answered. Gives the calls that follow. */
  async function after<R>(
    methods: readonly SourceMethod[],
    ask: (set: SetUp<string>) => Promise<R>[],
  ): Promise<{ readonly set: SetUp<string>; readonly reports: R[]; readonly following: string[] }> {
    const set = setUp<string>({ methods, rows: rowsOf('abc') });
    const { source, cache, calls } = set;
    await load(set);
    source.behave('hold');
    const running = cache.refresh();
    await settle();
    const waiting = ask(set);
    const { length } = calls;
    source.behave('answer');
    calls.at(-1)!.answer();
    await running;
    const reports = await Promise.all(waiting);
    return { set, reports, following: calls.slice(length).map(({ method, keys }) => `${method} ${keys.join()}`) };
  }

  test('for keys read these keys and no others', async () => {
    const { set, following } = await after(['fetchAll', 'fetchMany'], ({ cache }) => [
      cache.refresh({ keys: ['a'] }),
      cache.refresh({ keys: ['c', 'a'] }),
    ]);
    expect(following).toEqual(['fetchMany a,c']);
    await set.cache.stop();
  });

  test('are full if one of them is', async () => {
    for (const fulls of [
      [true, false],
      [false, true],
    ]) {
      const { set, reports, following } = await after(FOLLOWING, ({ cache }) =>
        fulls.map((full) => cache.refresh({ full })),
      );
      expect(reports[0]).toMatchObject({ kind: 'snapshot' });
      expect(following).toEqual(['fetchAll a,b,c']);
      await set.cache.stop();
    }
  });

  test('are a dry run if they are dry runs', async () => {
    const { set, reports } = await after(['fetchAll'], ({ source, cache }) => {
      source.rows.set('a', 'new');
      return [cache.refresh({ dryRun: true }), cache.refresh({ dryRun: true })];
    });
    expect(reports[0]).toMatchObject({ dryRun: true, updated: 1 });
    expect(set.cache.get('a')).toBe('a');
    await set.cache.stop();
  });

  test('keep the process alive only if somebody awaits one of them', async () => {
    for (const [awaited, alive] of [
      [false, 0],
      [true, 1],
    ] as const) {
      const set = setUp<string>({ methods: ['fetchAll'], rows: rowsOf('a') });
      const { source, cache, clock, calls } = set;
      await load(set);
      source.behave('hold');
      await cache.invalidate('a');
      await cache.invalidate('b');
      if (awaited) void cache.refresh();
      await cache.invalidate('c');
      calls[1]!.answer();
      await settle();
      expect([calls.length, clock.keepAliveTimers]).toEqual([3, alive]);
      await cache.stop();
    }
  });

  test('keep the process alive while somebody awaits the one behind them', async () => {
    const { source, cache, clock, calls } = setUp<string>({ methods: ['fetchAll'], rows: rowsOf('a') });
    await cache.start();
    source.behave('hold');
    await cache.invalidate('a');
    await cache.invalidate('b');
    const trying = cache.refresh({ dryRun: true });
    for (const length of [2, 3, 4]) {
      expect([calls.length, clock.keepAliveTimers]).toEqual([length, 1]);
      calls.at(-1)!.answer();
      await settle();
    }
    expect(await trying).toMatchObject({ dryRun: true });
    expect(clock.keepAliveTimers).toBe(0);
    await cache.stop();
  });
});

describe('the breaker and refreshes', () => {
  const opened = async (
    before: (set: SetUp<string>) => Promise<unknown> = async () => undefined,
  ): Promise<SetUp<string>> => {
    const set = setUp<string>({
      methods: ['fetchAll', 'fetchOne'],
      rows: rowsOf('a'),
      refreshInterval: '1h',
      ttl: '2h',
    });
    await load(set);
    await before(set);
    set.source.behave('fail');
    for (let call = 1; call <= 3; call += 1) await set.cache.fetch('b', { fresh: true }).catch(() => undefined);
    expect(set.cache.status().breaker).toBe('open');
    return set;
  };

  test('a nudge is no probe before its time', async () => {
    const { source, cache } = await opened();
    const before = source.count();
    await cache.invalidate('a');
    await settle();
    expect(source.count()).toBe(before);
    await cache.stop();
  });

  test('nor are nudges that wait together', async () => {
    const { source, cache, calls } = await opened(async ({ source, cache }) => {
      source.behave('hold');
      void cache.refresh();
      await settle();
      await cache.invalidate('a');
      await cache.invalidate('b');
    });
    const before = source.count();
    calls[1]!.fail();
    await settle();
    expect(cache.status().lastRefresh).toMatchObject({ outcome: 'failed', error: { code: 'breaker-open' } });
    expect(source.count()).toBe(before);
    await cache.stop();
  });

  test('one that closes sets off a refresh though none has failed: something may have changed meanwhile', async () => {
    const { source, cache, clock } = await opened();
    source.behave('answer');
    await clock.advance('1s');
    await cache.fetch('b', { fresh: true });
    await settle();
    expect(cache.status().breaker).toBe('closed');
    expect(source.count('fetchAll')).toBe(2);
    expect(cache.status().lastRefresh).toMatchObject({ reason: 'recovered' });
    await cache.stop();
  });
});

test.each(ON_DEMAND)(
  'a refresh that failed is not tried again by itself where there is no interval ($shape)',
  async ({ methods }) => {
    const set = setUp<string>({ methods, rows: rowsOf('a') });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('refuse');
    expect((await cache.refresh()).outcome).toBe('failed');
    const before = source.count();
    await clock.advance('1h');
    expect([source.count(), 'nextRefreshInMs' in cache.status()]).toEqual([before, false]);
    await cache.stop();
  },
);
