/** Thousands of entries that are past their ttl, as an outage begins and ends: shown and hidden some thousands at a time. */
import { expect, test } from 'vitest';
import type { TTLCacheService } from '../src/index.ts';
import { load, type SetUp, setUp } from './support/set-up.ts';

const ROWS = Array.from({ length: 9_000 }, (_, index) => [`key ${index}`, `value ${index}`] as const);

/** All of them are late, and hidden as long as the source answers. */
async function late(): Promise<SetUp<string>> {
  const set = setUp<string>({
    methods: ['fetchMany'],
    rows: ROWS,
    maxEntries: 10_000,
    ttl: '1m',
    staleIfError: '1h',
    maxAbsentPerSecond: 1,
  });
  await load(set);
  await set.clock.advance('2m');
  expect(set.cache.size).toBe(0);
  return set;
}

async function fail({ source, cache }: SetUp<string>): Promise<void> {
  source.behave('fail');
  await cache.fetch('another').catch(() => undefined);
}

/** How many are visible, turn by turn, until that stays so. */
async function turns({ cache, clock }: SetUp<string>): Promise<number[]> {
  const sizes = [cache.size];
  for (let turn = 0; turn < 8; turn += 1) {
    await clock.advance(1);
    if (cache.size !== sizes.at(-1)) sizes.push(cache.size);
  }
  return sizes;
}

const staleHit = (cache: TTLCacheService<string>, key: string): unknown[] => {
  const before = cache.stats().staleHits;
  return [cache.get(key), cache.stats().staleHits - before];
};

test('the first thousands are shown as the outage is noticed, the others in the next turns', async () => {
  const set = await late();
  await fail(set);
  expect(await turns(set)).toEqual([4_000, 8_000, 9_000]);
  expect(staleHit(set.cache, 'key 8400')).toEqual(['value 8400', 1]);
  await set.cache.stop();
});

test('a fetch is served stale before its turn has come', async () => {
  const set = await late();
  await fail(set);
  const [key, value] = ROWS.find(([key]) => !set.cache.has(key))!;
  expect(await set.cache.fetch(key)).toBe(value);
  await set.cache.stop();
});

test('an outage that ends before all are shown hides them again, in turns as well', async () => {
  const set = await late();
  await fail(set);
  await set.clock.advance(1);
  expect(set.cache.size).toBe(8_000);
  set.source.behave('answer');
  await set.cache.fetch('key 0', { fresh: true });
  expect(await turns(set)).toEqual([4_000, 1]);
  expect(staleHit(set.cache, 'key 0')).toEqual(['value 0', 0]);
  await set.cache.stop();
});

test('what comes and goes meanwhile is left as it is', async () => {
  const set = await late();
  await fail(set);
  await set.cache.invalidate(['key 8000', 'key 8001']);
  expect((await turns(set)).at(-1)).toBe(8_998);
  expect(set.cache.inspect('key 8000').state).toBe('unknown');
  await set.cache.stop();
});

test('a stop ends it, and leaves no timer', async () => {
  const set = await late();
  await fail(set);
  await set.cache.stop();
  expect([set.clock.pendingTimers, set.cache.size]).toEqual([0, 0]);
});

test('what falls due meanwhile does not wait: nothing past its ttl is taken for fresh', async () => {
  const set = await late();
  const { cache, clock, source } = set;
  source.rows.set('q', 'q');
  await cache.fetch('q');
  await clock.advance(59_999);
  await fail(set);
  await clock.advance(1);
  source.behave('answer');
  await cache.fetch('key 0', { fresh: true });
  // Thousands have yet to be hidden.
  expect(cache.size).toBeGreaterThan(1_000);
  await clock.advance(2);
  const calls = source.count();
  expect([cache.inspect('q').state, await cache.fetch('q'), source.count() - calls]).toEqual(['unknown', 'q', 1]);
  await cache.stop();
});
