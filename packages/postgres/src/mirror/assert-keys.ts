/** Keys as callers hand them over. */

/** The keys, as an array. A string is iterable too, but never meant as keys of one letter each. */
export function assertKeys(keys: Iterable<string>): readonly string[] {
  if (typeof keys !== 'object' || keys === null || !(Symbol.iterator in keys)) {
    throw new TypeError(`expected an iterable of keys, got ${keys === null ? 'null' : typeof keys}`);
  }
  const all = [...keys];
  const wrong: unknown = all.find((key) => typeof key !== 'string');
  if (all.some((key) => typeof key !== 'string')) {
    throw new TypeError(`expected a key to be a string, got ${wrong === null ? 'null' : typeof wrong}`);
  }
  return all;
}
