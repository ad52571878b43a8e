/** The truth of a scripted source: a map that writes down its changes, so that it can say what changed since when. */

export class ScriptedRows<T> {
  /** A `Map` like any other, no subclass: test runners do not take one for equal to a Map with the same rows. */
  readonly map: Map<string, T> = new Map<string, T>();
  /** The key of each change, oldest first: no values, which would never be collected. A position is a number of keys. */
  readonly #log: string[] = [];

  constructor(rows: Iterable<readonly [string, T]>) {
    const { map } = this;
    override(map, 'set', (key, value) => {
      this.#log.push(key);
      return Map.prototype.set.call(map, key, value) as typeof map;
    });
    override(map, 'delete', (key) => {
      if (map.has(key)) this.#log.push(key);
      return Map.prototype.delete.call(map, key);
    });
    override(map, 'clear', () => {
      for (const key of map.keys()) this.#log.push(key);
      Map.prototype.clear.call(map);
    });
    for (const [key, value] of rows) map.set(key, value);
  }

  /** How many changes there have been. */
  get position(): number {
    return this.#log.length;
  }

  isPosition(cursor: unknown): cursor is number {
    return typeof cursor === 'number' && cursor >= 0 && cursor <= this.position;
  }

  /** The keys that were touched since a position, each once; none, if it is none. */
  changedSince(cursor: unknown): string[] {
    return this.isPosition(cursor) ? [...new Set(this.#log.slice(cursor))] : [];
  }
}

function override<T, Name extends 'set' | 'delete' | 'clear'>(
  map: Map<string, T>,
  name: Name,
  value: Map<string, T>[Name],
): void {
  Object.defineProperty(map, name, { value, configurable: true, writable: true });
}
