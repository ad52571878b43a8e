/**
 * What rows were made of when they were read last, so that a text that has not changed is not parsed again: its value is
 * handed over as the very object it was, which costs the cache one `===`.
 *
 * Kept is a hash of each text, not the text. It is SHA-1 cut to 64 bits: Node's own takes as long as 500 characters in a
 * loop of JavaScript would, and nobody can write a row that looks like another one.
 */
import { hash } from 'node:crypto';

/** What a row is made of; a group has one text for each of its rows. */
type Text = string | readonly string[];

/** The value of a row, or of a group of rows: what is known if the text is, else what `make` makes of it. */
export type Recall = (key: string, text: Text, make: () => unknown) => unknown;

/** A reading of everything. */
export interface WholeReading {
  readonly recall: Recall;
  /** It has come to its end: its rows are all there are. */
  end(): void;
}

/** The hashes and values of keys, in arrays: an object for each would take as much again as the key does. */
class KnownRows {
  readonly #slots = new Map<string, number>();
  readonly #values: unknown[] = [];
  #hashes = new Uint32Array(2048);

  get size(): number {
    return this.#values.length;
  }

  /** Where a key stands; `undefined`: it is not known. */
  slotOf(key: string): number | undefined {
    return this.#slots.get(key);
  }

  /** In the order of their places. */
  keys(): IterableIterator<string> {
    return this.#slots.keys();
  }

  add(key: string): number {
    const slot = this.#values.length;
    this.#slots.set(key, slot);
    this.#values.push(undefined);
    if (2 * slot >= this.#hashes.length) {
      const longer = new Uint32Array(2 * this.#hashes.length);
      longer.set(this.#hashes);
      this.#hashes = longer;
    }
    return slot;
  }

  /** `undefined`, which no row is: not known under this hash. */
  find(slot: number, { high, low }: Hash): unknown {
    return this.#hashes[2 * slot] === high && this.#hashes[2 * slot + 1] === low ? this.#values[slot] : undefined;
  }

  set(slot: number, { high, low }: Hash, value: unknown): void {
    this.#hashes[2 * slot] = high;
    this.#hashes[2 * slot + 1] = low;
    this.#values[slot] = value;
  }
}

export class RowMemory {
  #known = new KnownRows();
  /** How many there were when everything was read last: others are gone, or of a reading that broke off. */
  #rows = 0;

  /** Some keys are read. What is known of them is brought up to date; others are not remembered, so it stays bounded. */
  readonly recall: Recall = (key, text, make) => {
    const known = this.#known;
    const slot = known.slotOf(key);
    // Nothing would come of the hash.
    if (slot === undefined) return make();
    return recallAt(known, slot, hashOf(text), make);
  };

  /** Everything is read. `forget`: it will be followed by its changes from then on, so nothing has to be known. */
  readAll(forget: boolean): WholeReading {
    const known = this.#known;
    // Where there are many others, those that are left move, each when it is read: no turn has to move them all.
    const read = forget || known.size - this.#rows > known.size / 8 ? new KnownRows() : known;
    const places = new InOrder(known);
    let rows = 0;
    const recall: Recall = (key, text, make) => {
      rows += 1;
      const slot = places.slotOf(key);
      const hashed = hashOf(text);
      if (read === known) return recallAt(known, slot ?? known.add(key), hashed, make);
      const value = (slot === undefined ? undefined : known.find(slot, hashed)) ?? make();
      read.set(read.add(key), hashed, value);
      return value;
    };
    return {
      recall: forget ? this.recall : recall,
      end: () => {
        this.#known = read;
        this.#rows = rows;
      },
    };
  }
}

/** Rows come in the order of last time, mostly: the next key is where it is expected, which needs no look-up. */
class InOrder {
  readonly #known: KnownRows;
  readonly #keys: IterableIterator<string>;
  #expected: string | undefined;
  #place = -1;

  constructor(known: KnownRows) {
    this.#known = known;
    this.#keys = known.keys();
    this.#goOn();
  }

  slotOf(key: string): number | undefined {
    if (this.#expected !== key) {
      const slot = this.#known.slotOf(key);
      if (slot === undefined || slot < this.#place) return slot;
      while (this.#place < slot) this.#goOn();
    }
    const place = this.#place;
    this.#goOn();
    return place;
  }

  #goOn(): void {
    this.#expected = this.#keys.next().value;
    this.#place += 1;
  }
}

function recallAt(known: KnownRows, slot: number, hashed: Hash, make: () => unknown): unknown {
  const found = known.find(slot, hashed);
  if (found !== undefined) return found;
  const value = make();
  known.set(slot, hashed, value);
  return value;
}

interface Hash {
  readonly high: number;
  readonly low: number;
}

/** The first eight bytes, which are characters here: quicker than to read numbers out of digits. */
function hashOf(text: Text): Hash {
  const bytes = hash('sha1', typeof text === 'string' ? text : inOne(text), 'binary');
  return { high: numberAt(bytes, 0), low: numberAt(bytes, 4) };
}

/** Where texts are put together: to make one string of them, of which Node makes bytes, takes a fifth longer. */
const scratch = Buffer.allocUnsafe(64 * 1024);
const BYTES_A_CHARACTER = 3;
const NEW_LINE = 10;

/** Each of them is a whole JSON text, and ends with a line here, so no other list becomes the same. */
function inOne(texts: readonly string[]): string | Uint8Array {
  let most = 0;
  for (const { length } of texts) most += BYTES_A_CHARACTER * length + 1;
  if (most > scratch.length) return texts.map((text) => `${text}\n`).join('');
  let end = 0;
  for (const text of texts) {
    end += scratch.write(text, end);
    scratch[end] = NEW_LINE;
    end += 1;
  }
  return scratch.subarray(0, end);
}

function numberAt(bytes: string, at: number): number {
  const high = (bytes.charCodeAt(at) << 8) | bytes.charCodeAt(at + 1);
  const low = (bytes.charCodeAt(at + 2) << 8) | bytes.charCodeAt(at + 3);
  return ((high << 16) | low) >>> 0;
}
