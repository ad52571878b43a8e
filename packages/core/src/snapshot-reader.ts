/**
 * Reads a snapshot to its end, checks each row and compares it with what is held: in slices, aside, so that readers
 * see nothing of it before it is whole.
 */
import { CacheError } from './errors.ts';
import type { CheckedRow } from './schema.ts';
import { Slice } from './slice.ts';
import { Aged, type Entries, type Snapshot } from './source.ts';

/** A snapshot that was read to its end. */
export interface StagedSnapshot<T> {
  readonly entries: Map<string, T>;
  readonly quarantined: Map<string, string>;
  readonly added: string[];
  readonly updated: string[];
  readonly removed: string[];
  unchanged: number;
  readonly ageMs: number;
}

export interface SnapshotReading<T> {
  readonly answer: Entries<unknown> | Snapshot<unknown>;
  readonly signal: AbortSignal;
  readonly check: (row: unknown) => CheckedRow<T> | Promise<CheckedRow<T>>;
  /** What is held now; may be replaced while this reads. */
  readonly held: () => ReadonlyMap<string, T>;
  /** What to hold: the old value if it is equal, the new one frozen if not. */
  readonly prepare: (value: T, held: T | undefined) => T;
  /** Makes the error for an answer that is no snapshot. */
  readonly invalid: (message: string, details?: { key?: string; cause?: unknown }) => Error;
}

export async function readSnapshot<T>(reading: SnapshotReading<T>): Promise<StagedSnapshot<T>> {
  const { entries: rows, ageMs = 0 } = toSnapshot(reading.answer, reading.invalid);
  const staging = new Staging<T>(reading, ageMs);
  try {
    if (Symbol.asyncIterator in rows) {
      for await (const entry of rows) {
        // Leaving the loop closes the stream: a cursor past its deadline is not read to its end.
        reading.signal.throwIfAborted();
        await staging.add(entry);
      }
    } else {
      for (const entry of rows) {
        // Awaiting each row of an array would cost more than handling it.
        const pause = staging.add(entry);
        if (pause !== undefined) await pause;
      }
    }
  } catch (cause) {
    // Nothing read yet: the request failed. Later: what was read is torn, and worth nothing.
    if (staging.isEmpty || CacheError.isInstance(cause)) throw cause;
    const said = cause instanceof Error ? cause.message : 'no message';
    throw reading.invalid(`the snapshot broke off half-way: ${said}`, { cause });
  }
  await staging.findRemoved();
  return staging.staged;
}

class Staging<T> {
  readonly staged: StagedSnapshot<T>;
  readonly #reading: SnapshotReading<T>;
  readonly #slice = new Slice();
  readonly #sizeAtStart: number;

  constructor(reading: SnapshotReading<T>, ageMs: number) {
    this.#reading = reading;
    this.#sizeAtStart = reading.held().size;
    this.staged = {
      entries: new Map(),
      quarantined: new Map(),
      added: [],
      updated: [],
      removed: [],
      unchanged: 0,
      ageMs,
    };
  }

  get isEmpty(): boolean {
    return this.staged.entries.size + this.staged.quarantined.size === 0;
  }

  /** A promise where the loop has to wait: for an asynchronous schema, or to let others run. */
  add(entry: readonly [string, unknown]): Promise<void> | undefined {
    const { invalid, check } = this.#reading;
    const key: unknown = entry?.[0];
    const row: unknown = entry?.[1];
    if (typeof key !== 'string') throw invalid(`expected every key to be a string, got ${typeName(key)}`);
    if (row instanceof Aged)
      throw invalid('expected plain values, got one with an age: give the snapshot its age', { key });
    if (row === undefined) throw invalid('expected a value for every key, got undefined, which means absent', { key });
    if (this.staged.entries.has(key) || this.staged.quarantined.has(key)) {
      throw invalid('expected every key once, got one twice', { key });
    }
    const checked = check(row);
    if (checked instanceof Promise) return checked.then((later) => this.#compare(key, later));
    return this.#compare(key, checked);
  }

  #compare(key: string, checked: CheckedRow<T>): Promise<void> | undefined {
    const { staged } = this;
    if (checked.problem !== undefined) {
      staged.quarantined.set(key, checked.problem);
    } else {
      const before = this.#reading.held().get(key);
      const value = this.#reading.prepare(checked.value, before);
      staged.entries.set(key, value);
      if (before === undefined) staged.added.push(key);
      else if (before === value) staged.unchanged += 1;
      else staged.updated.push(key);
    }
    return this.#pause();
  }

  async findRemoved(): Promise<void> {
    const { staged } = this;
    const { size } = this.#reading.held();
    // The walk costs as much as all keys, so it is made only if something is missing, or came and went meanwhile.
    if (size === staged.unchanged + staged.updated.length && size === this.#sizeAtStart) return;
    for (const key of this.#reading.held().keys()) {
      if (!staged.entries.has(key) && !staged.quarantined.has(key)) staged.removed.push(key);
      const pause = this.#pause();
      if (pause !== undefined) await pause;
    }
  }

  #pause(): Promise<void> | undefined {
    if (!this.#slice.isOver()) return undefined;
    return this.#slice.next().then(() => this.#reading.signal.throwIfAborted());
  }
}

function toSnapshot(answer: unknown, invalid: SnapshotReading<unknown>['invalid']): Snapshot<unknown> {
  if (typeof answer === 'object' && answer !== null) {
    if (isIterable(answer)) return { entries: answer };
    const { entries, ageMs = 0 } = answer as Partial<Snapshot<unknown>>;
    const isAge = typeof ageMs === 'number' && ageMs >= 0;
    if (typeof entries === 'object' && entries !== null && isIterable(entries) && isAge) return { entries, ageMs };
  }
  throw invalid(
    `expected fetchAll to answer an iterable of [key, value] or { entries, ageMs? }, got ${typeName(answer)}`,
  );
}

function isIterable(value: object): value is Entries<unknown> {
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

function typeName(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}
