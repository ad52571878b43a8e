import { isDeepStrictEqual } from 'node:util';

/** Cycles end here at the latest. */
const DEEPEST = 50;
/** Node compares elements in one place; here each is a call. */
const LONGEST = 64;

type Plain = Readonly<Record<string, unknown>>;

/**
 * Are two values equal? As Node's `isDeepStrictEqual` says, but several times as fast for plain objects and arrays, which
 * is what rows are; all others are left to it. Keys that are symbols, holes, and what hangs on an array beside its
 * elements are not data, and do not count.
 * @throws RangeError where they are nested too deep
 */
export function isEqual(a: unknown, b: unknown, depth: number = 0): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (a === b) return true;
  const prototype = Object.getPrototypeOf(a);
  if (prototype !== Object.getPrototypeOf(b)) return false;
  if (depth < DEEPEST) {
    if (prototype === Object.prototype) return areEqualObjects(a as Plain, b as Plain, depth + 1);
    if (prototype === Array.prototype && (a as unknown[]).length <= LONGEST)
      return areEqualArrays(a as unknown[], b as unknown[], depth + 1);
  }
  return isDeepStrictEqual(a, b);
}

function areEqualObjects(a: Plain, b: Plain, depth: number): boolean {
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (keys.length !== others.length) return false;
  let isNested = false;
  // What lies deeper comes last: most changes of a row show in its own columns.
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index]!;
    // Rows of one table have their keys in one order.
    if (key !== others[index] && !Object.hasOwn(b, key)) return false;
    const value = a[key];
    if (typeof value === 'object' && value !== null) isNested = true;
    else if (!Object.is(value, b[key])) return false;
  }
  if (!isNested) return true;
  for (const key of keys) {
    const value = a[key];
    if (typeof value === 'object' && value !== null && !isEqual(value, b[key], depth)) return false;
  }
  return true;
}

function areEqualArrays(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (!isEqual(a[index], b[index], depth)) return false;
  return true;
}
