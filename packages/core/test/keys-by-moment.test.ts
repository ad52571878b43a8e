import { describe, expect, test } from 'vitest';
import { KeysByMoment } from '../src/keys-by-moment.ts';

/** Takes out what comes first, as long as there is something. */
function drain(keys: KeysByMoment): string[] {
  const drained: string[] = [];
  for (let key = keys.firstKey; key !== undefined; key = keys.firstKey) {
    drained.push(key);
    keys.delete(key);
  }
  return drained;
}

/** Small, seeded. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}

describe('keys by moment', () => {
  test('knows the earliest', () => {
    const keys = new KeysByMoment();
    expect([keys.first, keys.firstKey, keys.size]).toEqual([Number.POSITIVE_INFINITY, undefined, 0]);
    for (const moment of [5, 1, 4, 2, 3]) keys.set(`at ${moment}`, moment);
    expect([keys.first, keys.firstKey, keys.size]).toEqual([1, 'at 1', 5]);
    expect(drain(keys)).toEqual(['at 1', 'at 2', 'at 3', 'at 4', 'at 5']);
    expect([keys.first, keys.size]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  test('follows a moment that moves, earlier and later, and has the key once', () => {
    const keys = new KeysByMoment();
    for (const moment of [10, 20, 30, 40]) keys.set(`${moment}`, moment);
    keys.set('40', 5);
    expect([keys.get('40'), keys.firstKey]).toEqual([5, '40']);
    keys.set('40', 25);
    expect([keys.get('40'), keys.firstKey]).toEqual([25, '10']);
    expect(drain(keys)).toEqual(['10', '20', '40', '30']);
  });

  test('gives the keys in the order in which they were set, the last one set last', () => {
    const keys = new KeysByMoment();
    for (const key of ['a', 'b', 'c']) keys.set(key, 1);
    keys.set('a', 0);
    keys.delete('b');
    expect([...keys.keys()]).toEqual(['c', 'a']);
    keys.clear();
    expect([...keys.keys()]).toEqual([]);
    expect(keys.first).toBe(Number.POSITIVE_INFINITY);
  });

  test('rounds down, a moment before the clock began too', () => {
    const keys = new KeysByMoment();
    keys.set('a', 1.9);
    keys.set('b', -1.1);
    expect([keys.get('a'), keys.get('b'), keys.first]).toEqual([1, -2, -2]);
  });

  test('rounds more when moments are far apart, and what it has already with them', () => {
    const keys = new KeysByMoment();
    const most = 2 ** 31 - 1;
    keys.set('at most', most);
    keys.set('odd', 3);
    keys.set('before', -3);
    expect([keys.get('at most'), keys.get('odd'), keys.get('before')]).toEqual([most, 3, -3]);
    keys.set('beyond', most + 2);
    expect([keys.get('at most'), keys.get('odd'), keys.get('before')]).toEqual([most - 1, 2, -4]);
    expect(keys.get('beyond')).toBe(most + 1);
    keys.set('far beyond', 100 * most);
    expect(keys.get('far beyond')).toBeLessThanOrEqual(100 * most);
    expect(keys.get('far beyond')).toBeGreaterThan(100 * most - 200);
    expect(drain(keys)).toEqual(['before', 'odd', 'at most', 'beyond', 'far beyond']);
  });

  test('rounds none more often than the others where it is a key of its own that moves so far', () => {
    const keys = new KeysByMoment();
    for (const key of ['moves', 'stays', 'stays as well']) keys.set(key, 1_000);
    keys.set('moves', 2 ** 31 + 1_000);
    expect(['moves', 'stays', 'stays as well'].map((key) => keys.get(key))).toEqual([2 ** 31 + 1_000, 1_000, 1_000]);
  });

  test('gives back the room of what was deleted, and keeps the rest', () => {
    const keys = new KeysByMoment();
    for (let index = 0; index < 1_000; index += 1) keys.set(`${index}`, (index * 37) % 1_000);
    for (let index = 0; index < 990; index += 1) keys.delete(`${index}`);
    expect(drain(keys)).toEqual(
      ['990', '991', '992', '993', '994', '995', '996', '997', '998', '999'].toSorted(
        (a, b) => ((Number(a) * 37) % 1_000) - ((Number(b) * 37) % 1_000),
      ),
    );
  });

  test('agrees with a sorted list over random histories', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = chance(seed);
      const keys = new KeysByMoment();
      const expected = new Map<string, number>();
      for (let step = 0; step < 400; step += 1) {
        const key = `${Math.floor(random() * 40)}`;
        if (random() < 0.3) {
          expect(keys.delete(key)).toBe(expected.delete(key));
        } else {
          const moment = Math.floor(random() * 25) * 40 + Number(key);
          expected.set(key, moment);
          keys.set(key, moment);
        }
        expect(keys.size).toBe(expected.size);
        expect(keys.get(key)).toBe(expected.get(key));
        expect(keys.first).toBe(Math.min(...expected.values()));
      }
      expect(drain(keys)).toEqual([...expected].toSorted(([, a], [, b]) => a - b).map(([key]) => key));
    }
  });
});
