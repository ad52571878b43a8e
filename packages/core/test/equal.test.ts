import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isEqual } from '../src/equal.ts';

const data = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: true,
  withObjectString: true,
  maxDepth: 4,
  maxKeys: 5,
});

/** The same, or the same but for one thing somewhere in it. */
const pairs = fc.tuple(data, data, fc.nat()).map(([value, other, place]) => {
  const copy = structuredClone(value);
  const places = placesOf(copy);
  const chosen = places[place % (places.length + 1)];
  if (chosen !== undefined) chosen.holder[chosen.key] = other;
  return [value, copy] as const;
});

type Holder = Record<string, unknown>;

function placesOf(value: unknown): { readonly holder: Holder; readonly key: string }[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  return Object.keys(value).flatMap((key) => [{ holder: value as Holder, key }, ...placesOf((value as Holder)[key])]);
}

describe('is equal', () => {
  test('what Node calls equal, and nothing else', () => {
    let equal = 0;
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        equal += isDeepStrictEqual(a, b) ? 1 : 0;
        expect(isEqual(a, b)).toBe(isDeepStrictEqual(a, b));
        expect(isEqual(b, a)).toBe(isDeepStrictEqual(a, b));
      }),
      { numRuns: 5_000 },
    );
    expect(equal).toBeGreaterThan(500);
    expect(equal).toBeLessThan(4_500);
  });

  test.each([
    ['keys in another order', { a: 1, b: { c: [2] } }, { b: { c: [2] }, a: 1 }, true],
    ['a key more', { a: 1 }, { a: 1, b: 1 }, false],
    ['0 and -0', { a: 0 }, { a: -0 }, false],
    ['NaN', [Number.NaN], [Number.NaN], true],
    ['an array and an object', { 0: 'a' }, ['a'], false],
    ['null and an object', { a: null }, { a: {} }, false],
    ['an object and null', { a: {} }, { a: null }, false],
    [
      'long arrays',
      Array.from({ length: 1_000 }, (_, n) => ({ n })),
      Array.from({ length: 1_000 }, (_, n) => ({ n })),
      true,
    ],
    ['dates', { at: new Date(1) }, { at: new Date(2) }, false],
    [
      'a class and a plain object',
      new (class Row {
        a = 1;
      })(),
      { a: 1 },
      false,
    ],
    ['a key named __proto__', JSON.parse('{ "__proto__": 1 }'), JSON.parse('{ "__proto__": 2 }'), false],
  ] as const)('%s', (_name, a, b, expected) => {
    expect(isEqual(a, b)).toBe(expected);
    expect(isEqual(b, a)).toBe(expected);
  });

  test('not what has another key of no value in the place of one', () => {
    expect(isEqual({ a: undefined, b: 1 }, { b: 1, c: undefined })).toBe(false);
    expect(isEqual({ a: undefined }, { b: undefined })).toBe(false);
  });

  test('not what hides a key of the other', () => {
    const hiding = Object.defineProperty({ b: 1 }, 'a', { value: 1, enumerable: false });
    expect(isEqual({ a: 1 }, hiding)).toBe(false);
  });

  test('what hides the key in which others differed before', () => {
    const hiding = (a: unknown): object => Object.defineProperty({ b: 1 }, 'a', { value: a, enumerable: false });
    expect(isEqual({ a: 1, b: 1 }, { a: 2, b: 1 })).toBe(false);
    expect(isEqual(hiding(1), hiding(2))).toBe(true);
    const throwing = Object.defineProperty({ b: 1 }, 'a', { get: () => expect.fail('nobody reads it') });
    expect(isEqual(throwing, { a: 1, b: 1 })).toBe(false);
    expect(isEqual({ a: 1, b: 1 }, throwing)).toBe(false);
    expect(isEqual(throwing, { b: 1 })).toBe(true);
  });

  test.each(['toString', '__proto__', 'n'])('what has no %s, in which others differed before', (key) => {
    const having = (value: unknown): unknown => JSON.parse(`{ "${key}": ${value} }`);
    expect(isEqual(having(1), having(2))).toBe(false);
    expect(isEqual({ [key]: Number.NaN }, { [key]: Number.NaN })).toBe(true);
    expect(isEqual({ a: 1 }, { a: 1 })).toBe(true);
    expect(isEqual({}, having(1))).toBe(false);
    expect(isEqual(having(1), {})).toBe(false);
    expect(isEqual(having(null), having('{}'))).toBe(false);
    expect(isEqual(having('{}'), having(null))).toBe(false);
  });

  test.each([2, 64])('cycles that come back in %i places, in no time', (places) => {
    const cycle = (name: string): object => {
      const value: Record<string, unknown> = {};
      value.children = Array.from({ length: places }, () => value);
      // Last, so that all the rest has been compared when the difference is met.
      value.last = { name };
      return value;
    };
    expect(isEqual(cycle('a'), cycle('a'))).toBe(true);
    expect(isEqual(cycle('a'), cycle('b'))).toBe(false);
  });

  test('rows of more than is looked at here', () => {
    const rows = (last: number): object => ({
      rows: Array.from({ length: 60 }, (_, n) => ({ n: Array(50).fill(n), last })),
    });
    expect(isEqual(rows(1), rows(1))).toBe(true);
    expect(isEqual(rows(1), rows(2))).toBe(false);
  });

  test('cycles that look alike', () => {
    const cycle = (name: string): object => {
      const value: Record<string, unknown> = { name };
      value.self = { again: [value] };
      return value;
    };
    expect(isEqual(cycle('a'), cycle('a'))).toBe(true);
    expect(isEqual(cycle('a'), cycle('b'))).toBe(false);
  });
});
