/**
 * What rows were made of when everything was read last, so that a text that has not changed is not parsed again: its
 * value is handed over as the very object it was, which costs the cache one `===`.
 *
 * Kept is a hash of each text, not the text. It is SHA-1 cut to 64 bits: Node's own takes as long as 500 characters in a
 * loop of JavaScript would, and nobody can write a row that looks like another one.
 */
import { hash } from 'node:crypto';

/** The value of a row, or of a group of rows: what is known if the text is, else what `make` makes of it. */
export type Recall = (key: string, text: string, make: () => unknown) => unknown;

/** A reading of everything. */
export interface WholeReading {
  readonly recall: Recall;
  /** It has come to its end: from now on its rows are what is known. */
  end(): void;
}

/** The hashes and values of keys, in arrays: an object for each would take as much again as the key does. */
class KnownRows {
  readonly #slots = new Map<string, number>();
  readonly #values: unknown[] = [];
  #hashes = new Uint32Array(2048);

  has(key: string): boolean {
    return this.#slots.has(key);
  }

  /** `undefined`, which no row is: not known under this hash. */
  find(key: string, [high, low]: Hash): unknown {
    const slot = this.#slots.get(key);
    if (slot === undefined || this.#hashes[2 * slot] !== high || this.#hashes[2 * slot + 1] !== low) return undefined;
    return this.#values[slot];
  }

  set(key: string, [high, low]: Hash, value: unknown): void {
    const slot = this.#slots.get(key) ?? this.#values.length;
    if (slot === this.#values.length) this.#slots.set(key, slot);
    if (2 * slot >= this.#hashes.length) {
      const longer = new Uint32Array(2 * this.#hashes.length);
      longer.set(this.#hashes);
      this.#hashes = longer;
    }
    this.#hashes[2 * slot] = high;
    this.#hashes[2 * slot + 1] = low;
    this.#values[slot] = value;
  }
}

export class RowMemory {
  #known = new KnownRows();

  /** Some keys are read. What is known of them is brought up to date; others are not remembered, so it stays bounded. */
  readonly recall: Recall = (key, text, make) => {
    const known = this.#known;
    // Nothing would come of the hash.
    if (!known.has(key)) return make();
    const hashed = hashOf(text);
    const found = known.find(key, hashed);
    if (found !== undefined) return found;
    const value = make();
    known.set(key, hashed, value);
    return value;
  };

  /** Everything is read. `forget`: it will be followed by its changes from then on, so nothing has to be known. */
  readAll(forget: boolean): WholeReading {
    const read = new KnownRows();
    const recall: Recall = (key, text, make) => {
      const hashed = hashOf(text);
      const value = this.#known.find(key, hashed) ?? make();
      read.set(key, hashed, value);
      return value;
    };
    return {
      recall: forget ? this.recall : recall,
      end: () => {
        this.#known = read;
      },
    };
  }
}

type Hash = readonly [high: number, low: number];

function hashOf(text: string): Hash {
  const digits = hash('sha1', text, 'hex');
  return [Number.parseInt(digits.slice(0, 8), 16), Number.parseInt(digits.slice(8, 16), 16)];
}
