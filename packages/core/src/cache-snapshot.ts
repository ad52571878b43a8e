/** One unchanging generation, to be read over several awaits. */
import { callOf, checkNames, POSITIVE_FINITE, toMs } from './checks.ts';
import type { Clock } from './clock.ts';
import type { Duration } from './duration.ts';
import type { CacheError } from './errors.ts';
import type { SourceCalls } from './source-calls.ts';
import type { Store } from './store.ts';
import type { View } from './views.ts';

/** What was in memory at one moment: see `CacheSnapshot`. */
export interface Frozen<T> extends Disposable {
  readonly generation: number;
  readonly size: number;
  get(key: string): T | undefined;
  getMany(keys: readonly string[]): (T | undefined)[];
  has(key: string): boolean;
  keys(): IterableIterator<string>;
  entries(): IterableIterator<[string, T]>;
  close(): void;
}

export interface SnapshotOptions {
  /** After this time it closes by itself. @default '1m' */
  readonly maxAge?: Duration;
}

interface CacheSnapshotOptions<T> {
  readonly view: View<T>;
  readonly generation: number;
  readonly clock: Clock;
  readonly maxAge: number;
  readonly onClose: () => void;
  readonly closed: (why: string) => CacheError;
}

/**
 * What was in memory when `TTLCacheService.snapshot()` was called, whatever was published, invalidated or expired
 * since. Old values of changed keys are kept only while it is open: close it after use, best with `using`. Reading it
 * after it was closed, or after its maximum age, throws a CacheError with code `stopped`.
 */
export class CacheSnapshot<T> implements Frozen<T> {
  readonly generation: number;
  readonly #options: CacheSnapshotOptions<T>;
  readonly #cancelTimer: () => void;
  #closed: string | undefined;

  /** @internal */
  constructor(options: CacheSnapshotOptions<T>) {
    this.#options = options;
    this.generation = options.generation;
    const tooOld = (): void => this.#close('the snapshot was open for longer than its maxAge, so it was closed');
    this.#cancelTimer = options.clock.setTimer(tooOld, options.maxAge);
  }

  get size(): number {
    return this.#view.size;
  }

  /** `undefined`: was not in memory. */
  get(key: string): T | undefined {
    return this.#view.get(key);
  }

  /** Aligned with the keys. */
  getMany(keys: readonly string[]): (T | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  has(key: string): boolean {
    return this.#view.get(key) !== undefined;
  }

  *keys(): Generator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *entries(): Generator<[string, T]> {
    for (const entry of this.#view.entries()) {
      yield entry;
      this.#assertOpen();
    }
  }

  /** Lets go of it. Safe to call twice. */
  close(): void {
    this.#close('the snapshot is closed');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #view(): View<T> {
    this.#assertOpen();
    return this.#options.view;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw this.#options.closed(this.#closed);
  }

  #close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    this.#cancelTimer();
    this.#options.view.close();
    this.#options.onClose();
  }
}

/** The snapshots of one cache that are open. */
export class Snapshots<T> {
  readonly #store: Store<T>;
  readonly #calls: SourceCalls;
  readonly #clock: Clock;
  readonly #open = new Set<CacheSnapshot<T>>();

  constructor(store: Store<T>, calls: SourceCalls, clock: Clock) {
    this.#store = store;
    this.#calls = calls;
    this.#clock = clock;
  }

  open(options: SnapshotOptions = {}): CacheSnapshot<T> {
    const where = callOf(this.#calls.cache, 'snapshot');
    checkNames(where, options, ['maxAge']);
    const { maxAge: given = '1m' } = options;
    const maxAge = toMs(where, 'maxAge', given, POSITIVE_FINITE);
    if (this.#calls.isStopped) throw this.#calls.error('stopped', 'the cache is stopped');
    const snapshot: CacheSnapshot<T> = new CacheSnapshot<T>({
      view: this.#store.views.open(this.#store.live),
      generation: this.#store.generation,
      clock: this.#clock,
      maxAge,
      onClose: () => this.#open.delete(snapshot),
      closed: (why) => this.#calls.error('stopped', why),
    });
    this.#open.add(snapshot);
    return snapshot;
  }

  closeAll(): void {
    for (const snapshot of this.#open) snapshot.close();
  }
}
