/** Which values come back from a file as what they were. */
import { types } from 'node:util';

/**
 * Structured cloning keeps plain data, Date, Map, Set, RegExp, BigInt, Buffer and typed arrays; it turns an instance of a
 * class into a plain object without a word. Found out here for the row itself; below it, nobody looks.
 * @throws TypeError without the value.
 */
export function assertPlain(row: unknown): void {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return;
  const prototype: unknown = Object.getPrototypeOf(row);
  if (prototype === null || Object.getPrototypeOf(prototype) === null || isKept(row)) return;
  throw new TypeError(
    'expected rows of plain data, got an instance of a class, which would come back without its methods',
  );
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
