/** Identity is version: an equal value is the same object, and nobody can change it. */
import { isDeepStrictEqual } from 'node:util';

/** What was held where it is equal. Rows that both are made of are the same objects, so little is compared. */
export function sameOf<V>(value: V, held: V | undefined): V {
  if (held === undefined || held === value) return value;
  try {
    return isDeepStrictEqual(held, value) ? held : value;
  } catch {
    // Nested too deep to be compared: it counts as changed.
    return value;
  }
}

/**
 * Freezes plain data to the bottom. What is frozen already is taken to be so all the way: rows are, and most of what a
 * view is made of are rows.
 */
export function freeze<V>(value: V): V {
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const object = pending.pop();
    if (!isPlain(object) || Object.isFrozen(object)) continue;
    Object.freeze(object);
    for (const child of Object.values(object)) if (typeof child === 'object' && child !== null) pending.push(child);
  }
  return value;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
