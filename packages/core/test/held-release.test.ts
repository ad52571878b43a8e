import { expect, test } from 'vitest';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const rows = (count: number): (readonly [string, string])[] =>
  Array.from({ length: count }, (_, n) => [`${n}`, `row ${n}`]);
const WITH_BOTH = WITH_KEYS.filter(({ methods }) => methods.includes('fetchAll'));

/** A cache of 40 rows; the source lacks the first 30, and has said so once. */
async function held(settings: Parameters<typeof setUp<string>>[0] = {}): Promise<SetUp<string>> {
  const set = setUp<string>({ guard: {}, rows: rows(40), ...settings });
  await load(set);
  for (let key = 0; key < 30; key += 1) set.source.rows.delete(`${key}`);
  expect(await set.cache.refresh()).toMatchObject({ outcome: 'held', held: 30 });
  return set;
}

test.each(WITH_BOTH)(
  'the state says so at once when a single fetch brings back the last of them ($shape)',
  async ({ methods }) => {
    const set = setUp<string>({ methods, guard: {}, rows: rows(1) });
    const { source, cache } = set;
    await load(set);
    source.rows.delete('0');
    await cache.refresh();
    const states: [string, boolean][] = [];
    cache.on('state', ({ to }) => states.push([to, cache.has('0')]));
    source.rows.set('0', 'back');
    await cache.fetch('0', { fresh: true });
    expect(cache.status()).toMatchObject({ state: 'live' });
    expect(cache.status().held).toBeUndefined();
    expect(states).toEqual([['live', true]]);
    await cache.stop();
  },
);

test.each(WITH_SNAPSHOT)('a row that is gone by age is held no more ($shape)', async ({ methods }) => {
  const set = await held({ methods, ttl: '5m', staleIfError: '5m', guard: { acceptAfter: 1_000 } });
  const { cache, clock } = set;
  await clock.advance('11m');
  expect(cache.status().held).toBeUndefined();
  const { generation } = cache.status();
  expect(cache.accept()).toBe(false);
  expect(cache.status().generation).toBe(generation);
  await cache.stop();
});

test.each(WITH_SNAPSHOT)(
  'a snapshot under way does not bring back in secret what was accepted ($shape)',
  async ({ methods }) => {
    const set = await held({ methods });
    const { source, cache, calls } = set;
    for (const [key, row] of rows(40)) source.rows.set(key, row);
    source.behave('pause');
    const refreshed = cache.refresh();
    for (let turn = 0; turn < 10; turn += 1) await undefined;
    expect(cache.accept()).toBe(true);
    const seen = new Set(cache.keys());
    cache.on('change', ({ added }) => {
      for (const key of added) seen.add(key);
    });
    source.behave('answer');
    calls.at(-1)!.answer();
    await refreshed;
    await cache.refresh();
    expect(new Set(cache.keys())).toEqual(seen);
    expect(seen.size).toBe(40);
    await cache.stop();
  },
);

test.each(WITH_BOTH)('a hold makes no other removal smaller than it is ($shape)', async ({ methods }) => {
  const set = setUp<string>({ methods, rows: rows(2), guard: { maxRemovedShare: 0.3, minRows: 3 } });
  const { source, cache } = set;
  await load(set);
  source.rows.clear();
  expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 2 });
  source.rows.set('c', 'c');
  await cache.fetch('c');
  source.rows.delete('c');
  for (const [key, row] of rows(2)) source.rows.set(key, row);
  expect(await cache.refresh()).toMatchObject({ outcome: 'held', held: 1 });
  expect(cache.has('c')).toBe(true);
  await cache.stop();
});
