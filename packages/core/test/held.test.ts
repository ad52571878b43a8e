import { describe, expect, test } from 'vitest';
import type { CacheChange, HeldRemovals } from '../src/events.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const keys = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);
const rows = (count: number): (readonly [string, string])[] => keys(count).map((key) => [key, `row ${key}`]);
const WITH_BOTH = WITH_KEYS.filter(({ methods }) => methods.includes('fetchAll'));

/** A cache of 40 rows; the source lacks the first 30, and has said so once. */
async function held(settings: Parameters<typeof setUp<string>>[0] = {}): Promise<SetUp<string>> {
  const set = setUp<string>({ guard: {}, rows: rows(40), ...settings });
  await load(set);
  for (const key of keys(30)) set.source.rows.delete(key);
  expect(await set.cache.refresh()).toMatchObject({ outcome: 'held', held: 30 });
  return set;
}

describe.each(WITH_SNAPSHOT)('rows that are held, with $shape', ({ methods }) => {
  test('keep the age they have: they become stale, then they are gone, while the others stay fresh', async () => {
    const set = setUp<string>({
      methods,
      rows: rows(40),
      guard: { acceptAfter: 1_000 },
      ttl: '5m',
      staleIfError: '5m',
      refreshInterval: '1m',
    });
    const { source, cache, clock } = set;
    await load(set);
    for (const key of keys(30)) source.rows.delete(key);
    await clock.advance('5m');
    expect(cache.inspect('0')).toMatchObject({ state: 'fresh', ageMs: 300_000, value: 'row 0' });
    await clock.advance(1);
    expect(cache.inspect('0')).toMatchObject({ state: 'stale', value: 'row 0' });
    expect(cache.inspect('39').ageMs).toBeLessThan(60_000);
    const before = cache.stats();
    expect(cache.getMany(['0', '39'])).toEqual(['row 0', 'row 39']);
    expect(cache.stats().hits - before.hits).toBe(2);
    expect(cache.stats().staleHits - before.staleHits).toBe(1);
    // Nothing fails: the source answers, and others are confirmed.
    expect(cache.status()).toMatchObject({ state: 'held', size: 40, breaker: 'closed' });
    await clock.advance('5m');
    expect(cache.get('0')).toBeUndefined();
    expect([...cache.keys()]).toEqual(
      rows(40)
        .slice(30)
        .map(([key]) => key),
    );
    expect(cache.inspect('39').state).toBe('fresh');
    await clock.advance('1m');
    expect(cache.status().state).toBe('live');
    await cache.stop();
  });

  test('stay visible when they are stale also where no timer sees to the others', async () => {
    const set = setUp<string>({ methods, rows: rows(40), guard: { acceptAfter: 1_000 }, ttl: '5m' });
    const { source, cache, clock } = set;
    await cache.refresh();
    for (const key of keys(30)) source.rows.delete(key);
    await clock.advance('4m');
    await cache.refresh();
    await clock.advance('2m');
    expect(cache.inspect('0')).toMatchObject({ state: 'stale', value: 'row 0', ageMs: 360_000 });
    expect(cache.inspect('39')).toMatchObject({ state: 'fresh', ageMs: 120_000 });
    expect([cache.get('0'), cache.size]).toEqual(['row 0', 40]);
  });

  test('are the objects they were, and those of the other rows too', async () => {
    const set = setUp<{ n: number }>({ methods, guard: {}, rows: keys(40).map((key) => [key, { n: Number(key) }]) });
    const { source, cache } = set;
    await load(set);
    const before = cache.getMany(keys(40));
    for (let n = 30; n < 40; n += 1) source.rows.set(`${n}`, { n });
    for (const key of keys(30)) source.rows.delete(key);
    await cache.refresh();
    expect(cache.getMany(keys(40)).every((row, index) => row === before[index])).toBe(true);
    for (const key of keys(30)) source.rows.set(key, { n: Number(key) });
    await cache.refresh();
    expect(cache.getMany(keys(40)).every((row, index) => row === before[index])).toBe(true);
    await cache.stop();
  });

  test('are told of: in the report, the status, the state and its event, and an event of their own', async () => {
    const set = setUp<string>({ methods, guard: {}, rows: rows(40) });
    const { source, cache, clock } = set;
    const states: string[] = [];
    const told: HeldRemovals[] = [];
    await load(set);
    cache.on('state', ({ from, to }) => states.push(`${from} > ${to}`));
    cache.on('held', (removals) => told.push(removals));
    for (const key of keys(30)) source.rows.delete(key);
    const report = await cache.refresh();
    expect(report).toEqual({
      outcome: 'held',
      kind: 'snapshot',
      reason: 'manual',
      generation: 1,
      added: 0,
      updated: 0,
      removed: 0,
      unchanged: 10,
      quarantined: 0,
      sampleKeys: [],
      tookMs: 0,
      held: 30,
    });
    expect(cache.status().lastRefresh).toBe(report);
    expect(cache.stats()).toMatchObject({ refreshes: 2, refreshFailures: 0, entries: 40 });
    const sampleKeys = keys(10);
    expect(told).toEqual([{ removed: 30, of: 40, answers: 1, needed: 2, sampleKeys }]);
    await clock.advance('10s');
    expect(cache.status()).toMatchObject({ state: 'held', size: 40, generation: 1, ageMs: 10_000 });
    const status = { keys: 30, sampleKeys, answers: 1, needed: 2, rejected: false, sinceMs: 10_000 };
    expect(cache.status().held).toEqual(status);
    await cache.refresh();
    expect(cache.status()).not.toHaveProperty('held');
    expect(told).toHaveLength(1);
    expect(states).toEqual(['live > held', 'held > live']);
    await cache.stop();
  });

  test('are held since the first answer that lacked them', async () => {
    const { cache, clock } = await held({ methods, guard: { acceptAfter: 3 } });
    await clock.advance('10s');
    await cache.refresh();
    await clock.advance('10s');
    expect(cache.status().held).toMatchObject({ answers: 2, needed: 3, sinceMs: 20_000 });
    await cache.stop();
    expect(cache.status()).not.toHaveProperty('held');
  });

  test('wait no longer than to the next refresh by the timer, where nobody says anything', async () => {
    const { cache, clock } = await held({ methods, refreshInterval: '1m' });
    await clock.advance('1m');
    expect(cache.status()).toMatchObject({ state: 'live', size: 10, lastRefresh: { reason: 'interval', removed: 30 } });
    await cache.stop();
  });

  test('stay while the source cannot be asked', async () => {
    const { source, cache, clock } = await held({ methods });
    source.behave('fail');
    await clock.advance('1h');
    expect(cache.status()).toMatchObject({ state: 'degraded', size: 40, held: { keys: 30, answers: 1 } });
    expect(cache.getMany(['0', '39'])).toEqual(['row 0', 'row 39']);
    source.behave('answer');
    await clock.advance('1m');
    expect(cache.status()).toMatchObject({ state: 'live', size: 10 });
    await cache.stop();
  });
});

describe.each(WITH_BOTH)('a fetch of a key that is held, with $shape', ({ methods }) => {
  test('asks the source when the key is stale, and only for that key', async () => {
    const { source, cache, clock, calls } = await held({ methods, guard: { acceptAfter: 1_000 }, ttl: '5m' });
    expect(await cache.fetch('0')).toBe('row 0');
    expect(source.count()).toBe(2);
    await clock.advance('6m');
    source.behave('hang');
    const before = calls.length;
    const fetched = cache.fetch('0');
    await clock.advance(100);
    expect(await fetched).toBe('row 0');
    expect(calls.slice(before).map(({ keys }) => keys)).toEqual([['0']]);
    await cache.stop();
  });

  test('settles that key: present, it is no longer held; absent, it is gone', async () => {
    const { source, cache } = await held({ methods });
    source.rows.set('0', 'back').set('1', 'row 1');
    expect(await cache.fetch('0', { fresh: true })).toBe('back');
    expect(await cache.fetch('1', { fresh: true })).toBe('row 1');
    expect(await cache.fetch('2', { fresh: true })).toBeUndefined();
    expect(cache.status().held).toMatchObject({ keys: 27 });
    expect([cache.has('2'), cache.inspect('2').state, cache.size]).toEqual([false, 'absent', 39]);
    expect(cache.accept()).toBe(true);
    expect([...cache.keys()].toSorted()).toEqual([
      '0',
      '1',
      ...rows(40)
        .slice(30)
        .map(([key]) => key),
    ]);
    await cache.stop();
  });

  test('that finds it, though the snapshots lack it, makes them start again for that key', async () => {
    const { source, cache } = await held({ methods, guard: { acceptAfter: 3 } });
    await cache.refresh();
    source.rows.set('0', 'back');
    await cache.fetch('0', { fresh: true });
    source.rows.delete('0');
    expect(await cache.refresh()).toMatchObject({ removed: 30 });
    await cache.stop();
  });

  test('does not undo what was rejected, unless it was the last key of it', async () => {
    const { source, cache } = await held({ methods });
    cache.reject();
    await cache.fetch('0', { fresh: true });
    expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 29 });
    for (const [key, row] of rows(30)) source.rows.set(key, row);
    await cache.fetchMany(keys(30), { fresh: true });
    expect(cache.status()).not.toHaveProperty('held');
    expect(cache.reject()).toBe(false);
    source.rows.clear();
    await cache.refresh();
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 40 });
    await cache.stop();
  });
});

test('a fetch from a source with fetchAll only is an answer like any other', async () => {
  const { source, cache } = await held({ methods: ['fetchAll'], guard: { acceptAfter: 3 } });
  source.rows.clear();
  expect(await cache.fetch('0')).toBe('row 0');
  expect(source.count()).toBe(2);
  expect(await cache.fetch('0', { fresh: true })).toBe('row 0');
  expect(cache.status().held).toMatchObject({ keys: 40, answers: 2 });
  expect(await cache.fetch('0', { fresh: true })).toBeUndefined();
  expect(cache.status().held).toMatchObject({ keys: 10, answers: 2 });
  expect(await cache.fetch('39', { fresh: true })).toBeUndefined();
  expect([cache.size, cache.status().state]).toEqual([0, 'live']);
  await cache.stop();
});

describe.each(WITH_SNAPSHOT)('accept(), with $shape', ({ methods }) => {
  test('makes true what is held, at once and for all to see', async () => {
    const { source, cache } = await held({ methods, closedWorld: true });
    const heard: unknown[] = [];
    cache.on('change', (change: CacheChange) => heard.push({ ...change, sees: cache.has('0') }));
    cache.on('state', ({ to }) => heard.push(to));
    const asked = source.count();
    expect(cache.accept()).toBe(true);
    expect(heard).toEqual([{ generation: 2, added: [], updated: [], removed: keys(30), sees: false }, 'live']);
    expect(cache.status()).toMatchObject({ state: 'live', generation: 2, size: 10 });
    expect(cache.status()).not.toHaveProperty('held');
    expect(cache.inspect('0').state).toBe('absent');
    expect(await cache.fetch('0')).toBeUndefined();
    expect(source.count()).toBe(asked);
    expect(cache.accept()).toBe(false);
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', generation: 2, unchanged: 10 });
    source.rows.set('0', 'back');
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', added: 1, generation: 3 });
    expect(cache.get('0')).toBe('back');
    await cache.stop();
  });

  test('is false where nothing is held: before the first load, after it, when stopped', async () => {
    const set = setUp<string>({ methods, guard: {}, rows: rows(40) });
    const { cache } = set;
    for (const step of [() => undefined, () => cache.start(), () => cache.refresh(), () => cache.stop()]) {
      await step();
      expect([cache.accept(), cache.reject()]).toEqual([false, false]);
    }
    expect(cache.status().generation).toBe(1);
  });
});

describe.each(WITH_SNAPSHOT)('reject(), with $shape', ({ methods }) => {
  test('keeps the rows, however often the source repeats itself, until accept()', async () => {
    const { source, cache } = await held({ methods });
    expect(cache.reject()).toBe(true);
    for (let answer = 2; answer < 8; answer += 1) {
      // The table grows, so that what is missing is a smaller and smaller share of it.
      for (let n = 0; n < 20; n += 1) source.rows.set(`new ${answer} ${n}`, 'new');
      expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 30, added: 20 });
      expect(cache.status()).toMatchObject({ state: 'held', held: { rejected: true, answers: answer } });
    }
    expect(cache.reject()).toBe(true);
    expect(cache.getMany(keys(30))).not.toContain(undefined);
    expect(cache.accept()).toBe(true);
    expect(cache.size).toBe(130);
    source.rows.clear();
    await cache.refresh();
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 130 });
    await cache.stop();
  });

  test('keeps those that stay away when others come back, and judges what else goes as ever', async () => {
    const { source, cache } = await held({ methods });
    cache.reject();
    for (const [key, row] of rows(12)) source.rows.set(key, row);
    source.rows.delete('39');
    for (let answer = 2; answer < 5; answer += 1) {
      const removed = answer === 2 ? 1 : 0;
      expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 18, removed });
      expect(cache.status()).toMatchObject({ size: 39, held: { keys: 18, answers: answer, rejected: true } });
    }
    source.rows.set('12', 'back');
    expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 17, updated: 1 });
    expect(cache.accept()).toBe(true);
    expect([cache.size, cache.status().state]).toEqual([22, 'live']);
    await cache.stop();
  });

  test('ends when the rows come back: the next catastrophe is judged as if nothing had been', async () => {
    const { source, cache } = await held({ methods });
    cache.reject();
    for (const [key, row] of rows(30)) source.rows.set(key, row);
    await cache.refresh();
    expect(cache.status().state).toBe('live');
    expect(cache.reject()).toBe(false);
    source.rows.clear();
    expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 40 });
    expect(cache.status().held).toMatchObject({ answers: 1, rejected: false });
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 40 });
    await cache.stop();
  });

  test('ends with everything else when the cache is stopped', async () => {
    const { source, cache } = await held({ methods });
    cache.reject();
    await cache.stop();
    for (const [key, row] of rows(30)) source.rows.set(key, row);
    await cache.start();
    source.rows.clear();
    await cache.refresh();
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', removed: 40 });
    await cache.stop();
  });
});
