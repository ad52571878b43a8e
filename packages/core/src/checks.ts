/** What callers hand over, checked: one TypeError that says where, what was expected and what came. */
import { describe, typeName } from './describe.ts';
import { type Duration, parseDuration } from './duration.ts';
import { nearest } from './nearest.ts';

/** Where something was handed over, as messages say it. */
export function callOf(cache: string, method: string): string {
  return `cache "${cache}": ${method}`;
}

/**
 * Refuses names that are not known: a typing error must not silently mean "the default".
 * @throws TypeError with the name that was probably meant, or all that are known.
 */
export function checkNames(where: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError(`${where}: expected an object of options, got ${describe(given)}`);
  }
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownName(`${where}: unknown option`, unknown, known);
}

/** A name that is none of those that are known. */
export function unknownName(what: string, name: unknown, known: readonly string[]): TypeError {
  const meant = typeof name === 'string' ? nearest(name, known) : undefined;
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`;
  return new TypeError(`${what} ${describe(name)}; ${hint}`);
}

/** An option that is not what it should be. */
export function wrongOption(where: string, option: string, expected: string, got: unknown): TypeError {
  return new TypeError(`${where}: option "${option}": expected ${expected}, got ${describe(got)}`);
}

export function checkFunction(where: string, given: unknown): void {
  if (typeof given !== 'function') throw new TypeError(`${where}: expected a function, got ${describe(given)}`);
}

export function checkFlag(where: string, option: string, given: unknown): void {
  if (typeof given !== 'boolean') throw wrongOption(where, option, 'a boolean', given);
}

/** The milliseconds that are sensible for one option. */
export interface Range {
  readonly text: string;
  readonly holds: (ms: number) => boolean;
}

export const POSITIVE: Range = { text: 'greater than 0', holds: (ms) => ms > 0 };
export const POSITIVE_FINITE: Range = {
  text: 'greater than 0 and finite',
  holds: (ms) => ms > 0 && Number.isFinite(ms),
};
export const NOT_NEGATIVE: Range = { text: 'of 0 or more', holds: (ms) => ms >= 0 };
export const NOT_NEGATIVE_FINITE: Range = {
  text: 'of 0 or more and finite',
  holds: (ms) => ms >= 0 && Number.isFinite(ms),
};

/** An option that is a duration, in milliseconds. */
export function toMs(where: string, option: string, given: Duration, range: Range): number {
  const ms = parseDuration(given);
  if (ms !== undefined && range.holds(ms)) return ms;
  const expected = `a duration ${range.text}: milliseconds, or like '250ms', '10s', '5m', '2h', '1d'`;
  throw wrongOption(where, option, expected, given);
}

/** For whatever stands in the place of a cache. @throws TypeError where a key is no string: which cache, which method. */
export function assertKey(key: unknown, cache: string, method: string): asserts key is string {
  if (typeof key !== 'string')
    throw new TypeError(`${callOf(cache, method)}: expected a key to be a string, got ${typeName(key)}`);
}

/** `assertKey` for several, as an array. A string is iterable too, but never meant as keys of one letter each. */
export function assertKeys(keys: Iterable<string>, cache: string, method: string): readonly string[] {
  if (typeof keys !== 'object' || keys === null || !(Symbol.iterator in keys)) {
    throw new TypeError(`${callOf(cache, method)}: expected an iterable of keys, got ${typeName(keys)}`);
  }
  const all = [...keys];
  for (const key of all) assertKey(key, cache, method);
  return all;
}

/** For keys that come as an array or not at all. */
export function noArray(keys: unknown, cache: string): TypeError {
  return new TypeError(`${callOf(cache, 'getMany')}: expected an array of keys, got ${typeName(keys)}`);
}
