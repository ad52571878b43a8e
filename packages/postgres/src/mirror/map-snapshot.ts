/** A view at one moment: all its values, in a map of their own. */
import type { Frozen } from 'evercache';

export class MapSnapshot<V> implements Frozen<V> {
  readonly #rows: Frozen<unknown>;
  #values: ReadonlyMap<string, V>;

  /** `rows`: the snapshot of the rows, which knows when it is too old and says so in its own words. */
  constructor(rows: Frozen<unknown>, values: ReadonlyMap<string, V>) {
    this.#rows = rows;
    this.#values = values;
  }

  get generation(): number {
    return this.#rows.generation;
  }

  get size(): number {
    return this.#open().size;
  }

  get(key: string): V | undefined {
    return this.#open().get(key);
  }

  getMany(keys: readonly string[]): (V | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  has(key: string): boolean {
    return this.#open().has(key);
  }

  *keys(): Generator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *entries(): Generator<[string, V]> {
    for (const entry of this.#open()) {
      yield entry;
      this.#open();
    }
  }

  close(): void {
    this.#rows.close();
    this.#values = new Map();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Throws where it is closed. */
  #open(): ReadonlyMap<string, V> {
    return this.#rows.size < 0 ? new Map() : this.#values;
  }
}
