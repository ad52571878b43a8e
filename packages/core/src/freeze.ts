/**
 * Values that nobody can corrupt. Plain data (objects, arrays, primitives) is frozen to the bottom; any other object
 * (Date, Map, Buffer, class instance) is left as it is.
 */

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // An Object.prototype, of this realm or another, is the one prototype that has none itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Freezes `value` in place and returns it. Cycles are fine, and so is any depth: hence no recursion. */
export function deepFreeze<T>(value: T): T {
  const pending: unknown[] = [value];
  // An object that is frozen already may still hold some that are not (Object.freeze is shallow), so it is walked too;
  // `walked` breaks the cycles among those. A fresh tree, the usual case, never needs the set.
  let walked: Set<object> | undefined;
  while (pending.length > 0) {
    const object = pending.pop();
    if (!isPlain(object) || walked?.has(object)) continue;
    if (Object.isFrozen(object)) {
      walked ??= new Set();
      walked.add(object);
    } else {
      Object.freeze(object);
    }
    for (const child of Object.values(object)) if (typeof child === 'object' && child !== null) pending.push(child);
  }
  return value;
}
