/** Thousands of entries that are past their ttl, as an outage begins and ends: shown and hidden a thousand at a time. */
import { expect, test } from 'vitest';
import type { TTLCacheService } from '../src/index.ts';
import { load, type SetUp, setUp } from './support/set-up.ts';

const ROWS = Array.from({ length: 3_500 }, (_, index) => [`key ${index}`, `value ${index}`] as const);

/** All of them are late, and hidden as long as the source answers. */
async function late(): Promise<SetUp<string>> {
  const set = setUp<string>({
    methods: ['fetchMany'],
    rows: ROWS,
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

test('the first thousand are shown as the outage is noticed, the others in the next turns', async () => {
  const set = await late();
  await fail(set);
  expect(await turns(set)).toEqual([1_000, 2_000, 3_000, 3_500]);
  expect(staleHit(set.cache, 'key 3400')).toEqual(['value 3400', 1]);
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
  expect(set.cache.size).toBe(2_000);
  set.source.behave('answer');
  await set.cache.fetch('key 0', { fresh: true });
  expect(await turns(set)).toEqual([1_000, 1]);
  expect(staleHit(set.cache, 'key 0')).toEqual(['value 0', 0]);
  await set.cache.stop();
});

test('what comes and goes meanwhile is left as it is', async () => {
  const set = await late();
  await fail(set);
  await set.cache.invalidate(['key 3000', 'key 3001']);
  expect((await turns(set)).at(-1)).toBe(3_498);
  expect(set.cache.inspect('key 3000').state).toBe('unknown');
  await set.cache.stop();
});

test('a stop ends it, and leaves no timer', async () => {
  const set = await late();
  await fail(set);
  await set.cache.stop();
  expect([set.clock.pendingTimers, set.cache.size]).toEqual([0, 0]);
});
