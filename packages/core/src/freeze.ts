/**
 * Values that nobody can corrupt. Plain data (objects, arrays, primitives) is frozen to the bottom; any other object
 * (Date, Map, Buffer, class instance) is left as it is.
 */

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return true;
  // That of another realm is the one prototype that has none itself, too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

type Plain = Readonly<Record<string, unknown>>;

function add(child: unknown, pending: unknown[]): void {
  if (typeof child === 'object' && child !== null) pending.push(child);
}

/** Freezes `value` in place and returns it. Cycles are fine, and so is any depth: hence no recursion. */
export function deepFreeze<T>(value: T): T {
  const pending: unknown[] = [value];
  // An object that is frozen already may still hold some that are not (Object.freeze is shallow), so it is walked too;
  // `walked` breaks the cycles among those. A fresh tree, the usual case, never needs the set.
  let walked: Set<object> | undefined;
  while (pending.length > 0) {
    const object = pending.pop();
    try {
      if (!isPlain(object) || walked?.has(object)) continue;
      if (Object.isFrozen(object)) {
        walked ??= new Set();
        walked.add(object);
      } else {
        Object.freeze(object);
      }
      // Not Object.values: its array costs as much as all the rest.
      if (Array.isArray(object)) for (const child of object) add(child, pending);
      else for (const key in object) if (Object.hasOwn(object, key)) add((object as Plain)[key], pending);
    } catch {
      // The namespace of a module, a getter that throws, a proxy that was revoked: nobody can freeze it to the bottom.
    }
  }
  return value;
}
