/** Which values come back from a file as what they were. */
import { types } from 'node:util';

/**
 * Structured cloning keeps plain data, Date, Map, Set, RegExp, BigInt, Buffer and typed arrays; it turns an instance of a
 * class into a plain object without a word. Found out here for the value itself; below it, nobody looks.
 */
export function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return typeof value !== 'function' && typeof value !== 'symbol';
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null || isKept(value);
}

function isKept(row: object): boolean {
  return (
    types.isDate(row) ||
    types.isMap(row) ||
    types.isSet(row) ||
    types.isRegExp(row) ||
    types.isAnyArrayBuffer(row) ||
    types.isBoxedPrimitive(row) ||
    ArrayBuffer.isView(row)
  );
}
