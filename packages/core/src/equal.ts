import { isDeepStrictEqual } from 'node:util';

/** Objects and elements looked at before Node is asked, which knows where it has been: cycles have no end here. */
const MOST = 2_000;
/** Node compares elements in one place; here each is a call. */
const LONGEST = 64;

const isEnumerable = Object.prototype.propertyIsEnumerable;

type Plain = Readonly<Record<string, unknown>>;

/** In what two objects differed last: where many rows have changed, many of them have in the same column. Only a guess. */
let likely = '';

/**
 * Are two values equal? As Node's `isDeepStrictEqual` says, but several times as fast for plain objects and arrays, which
 * is what rows are; all others are left to it. Keys that are symbols, holes, and what hangs on an array beside its
 * elements are not data, and do not count.
 * @throws RangeError where they are nested too deep
 */
export function isEqual(a: unknown, b: unknown): boolean {
  const walk = { left: MOST };
  const found = areEqual(a, b, walk);
  return walk.left < 0 ? isDeepStrictEqual(a, b) : found;
}

/** How much may still be looked at. Below 0 all of it is over, and what was found says nothing. */
interface Walk {
  left: number;
}

function areEqual(a: unknown, b: unknown, walk: Walk): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (a === b) return true;
  const prototype = Object.getPrototypeOf(a);
  if (prototype !== Object.getPrototypeOf(b)) return false;
  walk.left -= Array.isArray(a) ? Math.min(a.length, LONGEST) + 1 : 1;
  if (walk.left < 0) return false;
  if (prototype === Object.prototype) return areEqualObjects(a as Plain, b as Plain, walk);
  if (prototype === Array.prototype && (a as unknown[]).length <= LONGEST)
    return areEqualArrays(a as unknown[], b as unknown[], walk);
  return isDeepStrictEqual(a, b);
}

function areEqualObjects(a: Plain, b: Plain, walk: Walk): boolean {
  if (differIn(a, b, likely)) return false;
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (keys.length !== others.length) return false;
  let isNested = false;
  // What lies deeper comes last: most changes of a row show in its own columns.
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index]!;
    // Rows of one table have their keys in one order.
    if (key !== others[index] && !isEnumerable.call(b, key)) return false;
    const value = a[key];
    if (typeof value === 'object' && value !== null) isNested = true;
    else if (!Object.is(value, b[key])) {
      likely = key;
      return false;
    }
  }
  if (!isNested) return true;
  for (const key of keys) {
    const value = a[key];
    if (typeof value === 'object' && value !== null && !areEqual(value, b[key], walk)) return false;
  }
  return true;
}

/** Have both of them something under this key that tells them apart? */
function differIn(a: Plain, b: Plain, key: string): boolean {
  if (!isEnumerable.call(a, key) || !isEnumerable.call(b, key)) return false;
  const value = a[key];
  return (typeof value !== 'object' || value === null) && !Object.is(value, b[key]);
}

function areEqualArrays(a: readonly unknown[], b: readonly unknown[], walk: Walk): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (!areEqual(a[index], b[index], walk)) return false;
  return true;
}
