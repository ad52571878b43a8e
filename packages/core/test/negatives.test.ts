import { describe, expect, test } from 'vitest';
import { Negatives } from '../src/negatives.ts';
import { settle } from '../testing/index.ts';
import { load, SHAPES, setUp, WITH_KEYS, WITH_SNAPSHOT } from './support/set-up.ts';

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('a key that does not exist is asked for once in negativeTtl, on every path', async () => {
    const { source, cache, clock } = setUp<string>({ methods, negativeTtl: '10s' });
    expect(await cache.fetch('a')).toBeUndefined();
    await clock.advance('10s');
    expect(await cache.fetch('a')).toBeUndefined();
    expect((await cache.fetchMany(['a'])).size).toBe(0);
    expect(await cache.warm(['a'])).toEqual({ requested: 1, loaded: 0, absent: 1, failed: 0 });
    expect(source.count()).toBe(1);
    expect(cache.stats()).toMatchObject({ absentHits: 3, hits: 0 });
    expect(cache.inspect('a')).toEqual({ state: 'absent', ageMs: 10_000, generation: 0 });
    await clock.advance(1);
    expect(cache.inspect('a').state).toBe('unknown');
    expect(await cache.fetch('a')).toBeUndefined();
    expect(source.count()).toBe(2);
  });

  test('a key that appears at the source is seen by the next fetch after that', async () => {
    const { source, cache, clock } = setUp<string>({ methods });
    await cache.fetch('a');
    source.rows.set('a', 'new');
    expect(await cache.fetch('a')).toBeUndefined();
    await clock.advance(10_001);
    expect(await cache.fetch('a')).toBe('new');
  });

  test('a key that appears is seen at once by a fresh fetch, after invalidate, and after a refresh', async () => {
    const { source, cache } = setUp<string>({ methods });
    const seen: (() => Promise<unknown>)[] = [
      () => cache.fetch('a', { fresh: true }),
      () => cache.invalidate('a').then(() => cache.fetch('a')),
      () => cache.invalidateAll().then(() => cache.fetch('a')),
      () => cache.refresh({ keys: ['a'] }).then(() => cache.get('a')),
    ];
    for (const see of seen) {
      source.rows.delete('a');
      expect(await cache.fetch('a', { fresh: true })).toBeUndefined();
      expect(cache.inspect('a').state).toBe('absent');
      source.rows.set('a', 'new');
      expect(await cache.fetch('a')).toBeUndefined();
      expect(await see()).toBe('new');
    }
  });

  test('a key that is known to be absent is answered at once, also while somebody asks the source for it', async () => {
    const { source, cache } = setUp<string>({ methods });
    await cache.fetch('a');
    source.behave('hold');
    const fresh = cache.fetch('a', { fresh: true });
    const read = cache.fetch('a');
    expect(cache.stats()).toMatchObject({ absentHits: 1, coalesced: 0 });
    source.calls.at(-1)!.answer();
    expect([await read, await fresh]).toEqual([undefined, undefined]);
  });

  test('negativeTtl of 0 remembers nothing', async () => {
    const { source, cache, clock } = setUp<string>({ methods, negativeTtl: 0 });
    await cache.fetch('a');
    await clock.advance(1);
    await cache.fetch('a');
    expect(source.count()).toBe(2);
    expect(cache.stats().negatives).toBe(0);
  });

  test('age counts from before the request was sent', async () => {
    const { source, cache, clock } = setUp<string>({ methods });
    source.behave({ slowMs: 4_000 });
    const fetched = cache.fetch('a');
    await clock.advance('4s');
    await fetched;
    expect(cache.inspect('a').ageMs).toBe(4_000);
    await clock.advance(6_001);
    expect(cache.inspect('a').state).toBe('unknown');
  });

  test('an absent answer takes the value away that was held', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']] });
    await load(set);
    set.source.rows.delete('a');
    expect(await set.cache.fetch('a', { fresh: true })).toBeUndefined();
    expect(set.cache.has('a')).toBe(false);
    await set.cache.stop();
  });
});

describe.each(WITH_KEYS)('what is remembered, with $shape', ({ methods }) => {
  test('is bounded to a thousand keys, the oldest go first', async () => {
    const { cache, source } = setUp({ methods, maxAbsentPerSecond: Number.POSITIVE_INFINITY });
    for (let key = 0; key < 1_050; key += 1) await cache.fetch(`missing ${key}`);
    expect(cache.stats().negatives).toBe(1_000);
    expect(cache.inspect('missing 49').state).toBe('unknown');
    expect(cache.inspect('missing 50').state).toBe('absent');
    expect(source.count()).toBe(1_050);
  });

  test('is swept when its time is over, without a read', async () => {
    const { cache, clock } = setUp({ methods });
    await cache.fetchMany(['a', 'b']);
    await clock.advance('5s');
    await cache.fetch('c');
    expect(cache.stats().negatives).toBe(3);
    await clock.advance(5_001);
    expect(cache.stats().negatives).toBe(1);
    await clock.advance(5_000);
    expect(cache.stats().negatives).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe.each(WITH_SNAPSHOT)('a snapshot, with $shape', ({ methods }) => {
  test('that has the key makes an end of its absence', async () => {
    const { source, cache } = setUp<string>({ methods });
    await cache.fetch('a');
    source.rows.set('a', 'new');
    await cache.refresh();
    expect(cache.get('a')).toBe('new');
    expect(cache.stats().negatives).toBe(0);
    await cache.stop();
  });
});

describe('a source with fetchAll only', () => {
  test('is asked for one snapshot in negativeTtl, however many unknown keys are asked for', async () => {
    const set = setUp<string>({
      methods: ['fetchAll'],
      rows: [['a', 'a']],
      negativeTtl: '10s',
      refreshInterval: '1h',
      ttl: '2h',
    });
    const { source, cache, clock } = set;
    await load(set);
    for (let second = 0; second <= 30; second += 1) {
      for (let key = 0; key < 20; key += 1) expect(await cache.fetch(`missing ${key}`)).toBeUndefined();
      await clock.advance('1s');
    }
    expect(source.count()).toBe(3);
    expect(cache.stats()).toMatchObject({ negatives: 0, absentHits: 29 * 20 + 19 * 2 });
    await cache.stop();
  });

  test('never says absent of a key that was invalidated, nor while the set is gone', async () => {
    const set = setUp<string>({ methods: ['fetchAll'], rows: [['a', 'a']], staleIfError: 0 });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('hang');
    await cache.invalidate('missing');
    expect(cache.inspect('missing').state).toBe('unknown');
    await clock.advance('6m');
    expect(cache.inspect('another').state).toBe('unknown');
    await cache.stop();
    await settle();
  });
});

describe('Negatives', () => {
  test('holds at most 1 MB of keys, counted in bytes', () => {
    const negatives = new Negatives(1_000);
    for (let key = 0; key < 5; key += 1) negatives.add(`${key}${'é'.repeat(149_999)}`, 0);
    // 299,999 bytes each: three fit.
    expect(negatives.size).toBe(3);
    negatives.add('x'.repeat(1_000_001), 0);
    expect(negatives.size).toBe(3);
    negatives.add('y'.repeat(1_000_000), 0);
    expect(negatives.size).toBe(1);
    negatives.clear();
    for (let key = 0; key < 5; key += 1) negatives.add(`${key}${'x'.repeat(299_999)}`, 0);
    expect(negatives.size).toBe(3);
  });

  test('gives back the room of what is deleted or added again', () => {
    const negatives = new Negatives(1_000);
    for (let turn = 0; turn < 20; turn += 1) {
      negatives.add('x'.repeat(400_000), turn);
      negatives.add('y'.repeat(400_000), turn);
      expect(negatives.size).toBe(2);
      if (turn % 2) negatives.delete('x'.repeat(400_000));
    }
    negatives.delete('unknown');
    expect(negatives.size).toBe(1);
  });

  test('a key that is confirmed again goes to the end of the line', () => {
    const negatives = new Negatives(1_000);
    negatives.add('a', 0);
    negatives.add('b', 1);
    negatives.add('a', 2);
    expect([...negatives.keys()]).toEqual(['b', 'a']);
    expect(negatives.nextAt).toBe(1_001);
    negatives.sweep(1_002);
    expect([...negatives.keys()]).toEqual(['a']);
    expect(negatives.confirmedAt('a', 1_002)).toBe(2);
    expect(negatives.confirmedAt('a', 1_003)).toBeUndefined();
  });
});
