/**
 * The contract of a source: where the truth lives. Optional methods are abilities; a source has at least one of
 * `fetchAll` and `fetchOne`/`fetchMany`. A policy (shared through Redis, saved on disk, ...) is a source around a
 * source.
 */

/** What every call to a source is told. */
export interface FetchContext {
  /** Aborted at the deadline of the call and when the cache stops. After that the answer is thrown away. */
  readonly signal: AbortSignal;
  /** Why the call is made: `fetch`, `warm`, `start`, `interval`, `manual`, `invalidate`, ... For logs and metrics. */
  readonly reason: string;
}

/** What a watch is told. */
export interface WatchContext extends FetchContext {
  /** The watch, once it stood, has died: it is set up again. Before that, reject instead. */
  lost(error: unknown): void;
}

/** A position in a source's changes, as the source itself writes it; anything but `undefined`, which is none. */
export type Cursor = unknown;

/** What `fetchAll` answers: every key, as of one moment. */
export type Entries<T> = Iterable<readonly [string, T]> | AsyncIterable<readonly [string, T]>;

/** Entries with what else is known of them. */
export interface Snapshot<T> {
  readonly entries: Entries<T>;
  /** The position from which `fetchChanges` goes on. Read when the entries have been read to their end. */
  readonly cursor?: Cursor;
  /** How long ago the truth was requested, in milliseconds: for a source that hands on. Default 0: just now. */
  readonly ageMs?: number | undefined;
  /**
   * Called in the step in which this has become what readers see, for a source that keeps what is published. Not called
   * where it was thrown away, only tried, or has removals that are held. Must not throw.
   */
  published?(): void;
}

/** What `restore` answers. */
export interface Saved<T> extends Snapshot<T> {
  /** Keys of which nothing is known, whatever the entries say: they were invalidated. Default: none. */
  readonly unknown?: Iterable<string>;
}

/** What `fetchChanges` answers: all that differs from the truth at the position it was asked from. */
export interface Delta<T> {
  /** Rows that are new or changed, each key once. May stream. */
  readonly upserts: Entries<T>;
  /** Keys that are gone; none of them is among the upserts. */
  readonly deletes: Iterable<string>;
  /** Where the next delta goes on. Read when the upserts have been read to their end. */
  readonly cursor: Cursor;
  /** As in `Snapshot`. */
  readonly ageMs?: number | undefined;
  /** As in `Snapshot`. */
  published?(): void;
}

/** A part of a set that stands for several, as several tables. */
export interface SetPart {
  readonly name: string;
  /** So many keys of it can be seen now. */
  readonly size: number;
}

/**
 * Where the truth lives.
 *
 * A method that throws has failed and changes nothing. If the error has `reachable: true`, the source did answer and
 * the request was at fault (a missing column, a refused permission): that says nothing about an outage, so it does
 * not count towards the breaker.
 *
 * A row that was handed over belongs to the cache: it is frozen (see the option `freeze`), and the same object handed
 * over again means "unchanged". State that equality cannot see (private fields of a class) must not carry a change.
 */
export interface Source<T> {
  /** Every key, as of one moment. May stream. */
  fetchAll?(context: FetchContext): Promise<Entries<T> | Snapshot<T>>;
  /** One key; `undefined`: the source has none. */
  fetchOne?(key: string, context: FetchContext): Promise<T | Aged<T> | undefined>;
  /** Several keys in one call; what is not in the answer does not exist. */
  fetchMany?(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, T | Aged<T>>>;
  /**
   * What has changed since a position that an earlier snapshot or delta gave; `'resync'`: that cannot be said any more
   * (a gap, another database), so everything has to be read again. Goes with `fetchAll`.
   */
  fetchChanges?(since: Cursor, context: FetchContext): Promise<Delta<T> | 'resync'>;
  /**
   * Calls `nudge` whenever something has changed, until the function it resolves to is called. A nudge carries no data;
   * one too many costs a refresh, one too few is made up for by the timer.
   */
  watch?(nudge: () => void, context: WatchContext): Promise<() => Promise<void>>;
  /**
   * What was published before the process was started anew; `undefined`: nothing is known of it. Asked once at each start
   * of the cache, before anything else, and served, as old as it says it is, until the source has answered. Says nothing
   * about the source: it may well be down. Goes with `fetchAll`.
   */
  restore?(context: FetchContext): Promise<Saved<T> | undefined>;
  /**
   * These keys are invalidated, or all of them (`undefined`). Called in the very step in which they are forgotten;
   * `invalidate` resolves when this has, and fails if this does: no later `restore` may bring back what was known of them.
   */
  invalidated?(keys: readonly string[] | undefined): Promise<void>;
  /** The cache has stopped; its `stop` resolves when this has. It may be started again. */
  stopped?(): Promise<void>;
  /**
   * The part of the set that a key belongs to: the guard judges each part as a set of its own, so that one table of many
   * cannot be emptied unnoticed. Default: the set is one.
   */
  partOf?(key: string): SetPart;
  /** Sources with the same `breakerKey` (say, of one database) share one breaker. Default: the source itself. */
  readonly breakerKey?: unknown;
  /** What the source has to say about itself; shown as `status().source`. */
  status?(): Record<string, unknown>;
}

/** A value with an age; made by `aged`. */
export class Aged<T> {
  readonly value: T;
  readonly ageMs: number;
  constructor(value: T, ageMs: number) {
    if (!(Number.isFinite(ageMs) && ageMs >= 0)) {
      throw new TypeError(`aged: expected ageMs to be a finite number of milliseconds >= 0, got ${String(ageMs)}`);
    }
    this.value = value;
    this.ageMs = ageMs;
  }
}

/**
 * An answer that was true `ageMs` milliseconds ago: lets a source hand on what it holds itself without making it look
 * younger than it is.
 */
export function aged<T>(value: T, ageMs: number): Aged<T> {
  return new Aged(value, ageMs);
}
