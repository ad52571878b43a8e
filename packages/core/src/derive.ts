/** Things computed from values: once per value, and gone with it. Identity is version. */
import { checkFunction } from './checks.ts';

/** A view of a cache in which each value is replaced by what was computed from it. */
export interface Derived<D> {
  /** Computed once per value; `undefined`: the key is not in memory. Throws what the function throws. */
  get(key: string): D | undefined;
}

/**
 * See `TTLCacheService.derive`; for whatever stands in the place of a cache. `held` is what is in memory; asking it does
 * not count as a read.
 */
export function deriveFrom<T, D>(
  get: (key: string) => T | undefined,
  held: () => Pick<ReadonlyMap<string, T>, 'has' | 'size'>,
  compute: (value: T) => D,
): Derived<D> {
  checkFunction('derive', compute);
  const byObject = new WeakMap<WeakKey, { readonly derived: D }>();
  // A primitive has no identity of its own: what was computed from it is remembered with its key.
  const byKey = new Map<string, { readonly value: T; readonly derived: D }>();
  const ofObject = (value: T & WeakKey): D => {
    const known = byObject.get(value);
    if (known !== undefined) return known.derived;
    const derived = compute(value);
    byObject.set(value, { derived });
    return derived;
  };
  const ofPrimitive = (key: string, value: T): D => {
    const known = byKey.get(key);
    if (known !== undefined && Object.is(known.value, value)) return known.derived;
    const derived = compute(value);
    byKey.set(key, { value, derived });
    // Keys that nobody asks for any more: swept when there are more of them than of the others.
    if (byKey.size > 2 * held().size + 64)
      for (const known of byKey.keys()) if (!held().has(known)) byKey.delete(known);
    return derived;
  };
  return {
    get: (key) => {
      const value = get(key);
      if (typeof value === 'object' && value !== null) return ofObject(value);
      if (value !== undefined) return ofPrimitive(key, value);
      byKey.delete(key);
      return undefined;
    },
  };
}

class Node<R> {
  readonly objects = new WeakMap<WeakKey, Node<R>>();
  readonly primitives = new Map<unknown, Node<R>>();
  result: { readonly value: R } | undefined;

  next(argument: unknown): Node<R> {
    const isObject = (typeof argument === 'object' && argument !== null) || typeof argument === 'function';
    const nodes = (isObject ? this.objects : this.primitives) as Map<unknown, Node<R>>;
    const known = nodes.get(argument);
    if (known !== undefined) return known;
    const node = new Node<R>();
    nodes.set(argument, node);
    return node;
  }
}

/**
 * Remembers the result of `compute` for each combination of arguments, by identity. Made for frozen values of several
 * caches: while no row has changed, the arguments are the same objects, and the result is the same object too. Results
 * are dropped with the objects they were computed from, so at least one argument has to be an object.
 */
export function memoByIdentity<A extends readonly unknown[], R>(compute: (...inputs: A) => R): (...inputs: A) => R {
  checkFunction('memoByIdentity', compute);
  const root = new Node<R>();
  return (...inputs) => {
    // Objects first, so that what is kept for primitives hangs below something that can be collected.
    const objects = inputs.filter((input) => typeof input === 'object' && input !== null);
    if (objects.length === 0)
      throw new TypeError('memoByIdentity: expected at least one argument to be an object, got none');
    let node = root;
    for (const input of [...objects, ...inputs]) node = node.next(input);
    node.result ??= { value: compute(...inputs) };
    return node.result.value;
  };
}
