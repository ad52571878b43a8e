/** Rows on their way in: checked, compared with what is held, and set aside until the whole answer is there. */
import { typeName } from './describe.ts';
import { InStep } from './in-step.ts';
import type { CheckedRow } from './schema.ts';
import { Slice } from './slice.ts';
import { Aged } from './source.ts';

/** What the readers of answers need to know. */
export interface Reading<T> {
  readonly signal: AbortSignal;
  readonly check: (row: unknown) => CheckedRow<T> | Promise<CheckedRow<T>>;
  /** What is held now; may be replaced while this reads. */
  readonly held: () => ReadonlyMap<string, T>;
  /** Another number whenever what is held has changed. */
  readonly revision: () => number;
  /** What to hold: the old value if it is equal, the new one frozen if not. */
  readonly prepare: (value: T, held: T | undefined) => T;
  /** Makes the error for an answer that is none. */
  readonly invalid: (message: string, details?: { key?: string; cause?: unknown }) => Error;
}

type Rows = Iterable<readonly [string, unknown]> | AsyncIterable<readonly [string, unknown]>;

export class Staging<T> {
  readonly entries: Map<string, T> = new Map();
  readonly quarantined: Map<string, string> = new Map();
  readonly added: string[] = [];
  readonly updated: string[] = [];
  unchanged = 0;
  readonly #reading: Reading<T>;
  readonly #held: InStep<T>;
  readonly #slice = new Slice();

  constructor(reading: Reading<T>) {
    this.#reading = reading;
    this.#held = new InStep(reading.held);
  }

  get size(): number {
    return this.entries.size + this.quarantined.size;
  }

  has(key: string): boolean {
    return this.entries.has(key) || this.quarantined.has(key);
  }

  /** Stages entries to their end. */
  async addAll(rows: Rows): Promise<void> {
    const { signal } = this.#reading;
    const end = (): void => this.#held.end();
    // What hangs may be kept by whoever should answer it, for ever.
    signal.addEventListener('abort', end);
    try {
      await this.#addEach(rows);
    } finally {
      signal.removeEventListener('abort', end);
      end();
    }
  }

  /** Lets others run, if it is time to: a promise where the loop has to wait. */
  pause(): Promise<void> | undefined {
    if (!this.#slice.isOver()) return undefined;
    return this.#slice.next().then(() => this.#reading.signal.throwIfAborted());
  }

  async #addEach(rows: Rows): Promise<void> {
    if (Symbol.asyncIterator in rows) {
      for await (const entry of rows) {
        // Leaving the loop closes the stream: a cursor past its deadline is not read to its end.
        this.#reading.signal.throwIfAborted();
        await this.#add(entry);
      }
    } else {
      for (const entry of rows) {
        // Awaiting each row of an array would cost more than handling it.
        const pause = this.#add(entry);
        if (pause !== undefined) await pause;
      }
    }
  }

  #add(entry: readonly [string, unknown]): Promise<void> | undefined {
    const { invalid, check } = this.#reading;
    // A text of two letters can be taken apart as well, and is no pair.
    if (!Array.isArray(entry)) throw invalid(`expected every entry to be [key, value], got ${typeName(entry)}`);
    const [key, row]: readonly unknown[] = entry;
    if (typeof key !== 'string') throw invalid(`expected every key to be a string, got ${typeName(key)}`);
    if (row instanceof Aged)
      throw invalid('expected plain values, got one with an age: give the whole answer its age', { key });
    if (row === undefined) throw invalid('expected a value for every key, got undefined, which means absent', { key });
    const checked = check(row);
    if (checked instanceof Promise) return checked.then((later) => this.#compare(key, later));
    return this.#compare(key, checked);
  }

  #compare(key: string, checked: CheckedRow<T>): Promise<void> | undefined {
    // A look-up less for each row: what is set without making the map longer was there.
    const { size } = this;
    const before = this.#held.find(key);
    if (checked.problem !== undefined) {
      this.quarantined.set(key, checked.problem);
    } else {
      const value = this.#reading.prepare(checked.value, before);
      this.entries.set(key, value);
      if (before === undefined) this.added.push(key);
      else if (before === value) this.unchanged += 1;
      else this.updated.push(key);
    }
    const isTwice = this.size === size || (this.quarantined.has(key) && this.entries.has(key));
    if (isTwice) throw this.#reading.invalid('expected every key once, got one twice', { key });
    return this.pause();
  }
}

export function isIterable(value: unknown): value is Rows {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

export function isAge(ageMs: unknown): ageMs is number {
  return Number.isFinite(ageMs) && (ageMs as number) >= 0;
}
