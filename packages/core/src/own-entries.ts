/**
 * The entries that have an age of their own, because they were fetched singly or what the last refresh said of them
 * does not count. Sees to it that each is shown or hidden as its age says.
 */
import { KeysByMoment } from './keys-by-moment.ts';

interface OwnEntriesOptions<T> {
  readonly ttl: number;
  readonly staleIfError: number;
  /** May a value be shown after its ttl? */
  readonly showsStale: (key: string) => boolean;
  /** The value that is shown. */
  readonly shown: (key: string) => T | undefined;
  readonly show: (key: string, value: T) => void;
  readonly hide: (key: string) => void;
  /** Too old for any use. */
  readonly onGone: (key: string) => void;
}

/** A value, and when it was confirmed. */
export interface Known<T> {
  readonly value: T;
  readonly since: number;
}

/** Entries handled before others get their turn: about a millisecond. */
const DUE_AT_A_TIME = 1_000;
/** More of those that readers wait for, as an outage begins: some milliseconds. */
const SETTLED_AT_A_TIME = 4_000;

export class OwnEntries<T> {
  readonly #options: OwnEntriesOptions<T>;
  readonly #maxAge: number;
  // When each was confirmed: two heaps, since all keys of one fall due at the same age.
  readonly #fresh = new KeysByMoment();
  readonly #late = new KeysByMoment();
  /** The values of the late ones that are not shown: they wait for the source to fail. */
  readonly #hidden = new Map<string, T>();
  /** The late ones that have yet to be shown or hidden, since whether stale values may be shown has changed. */
  #unsettled: Iterator<string> | undefined;

  constructor(options: OwnEntriesOptions<T>) {
    this.#options = options;
    this.#maxAge = options.ttl + options.staleIfError;
  }

  get size(): number {
    return this.#fresh.size + this.#late.size;
  }

  /** Is one of them visible although it is older than its ttl? */
  get showStale(): boolean {
    return this.#late.size > this.#hidden.size;
  }

  get hasFresh(): boolean {
    return this.#fresh.size > 0;
  }

  /** A moment before which nothing falls due. */
  get nextAt(): number {
    if (this.#unsettled !== undefined) return Number.NEGATIVE_INFINITY;
    return Math.min(this.#fresh.first + this.#options.ttl, this.#late.first + this.#maxAge);
  }

  has(key: string): boolean {
    return this.#fresh.has(key) || this.#late.has(key);
  }

  /** When its value was confirmed. */
  confirmedAt(key: string): number | undefined {
    return this.#fresh.get(key) ?? this.#late.get(key);
  }

  isFresh(key: string): boolean {
    return this.#fresh.has(key);
  }

  /** Is it older than its ttl? */
  isLate(key: string): boolean {
    return this.#late.has(key);
  }

  /** Its value, if that is not visible. */
  hidden(key: string): T | undefined {
    return this.#hidden.get(key);
  }

  /** Those that are not visible, with their values. */
  hiddenEntries(): IterableIterator<[string, T]> {
    return this.#hidden.entries();
  }

  /** Those that are past their ttl first; of the others, the one that was stored first. */
  *keys(): Generator<string> {
    yield* this.#late.keys();
    yield* this.#fresh.keys();
  }

  /** What of them is visible. */
  *visible(): Generator<[string, T]> {
    for (const key of this.keys()) if (!this.#hidden.has(key)) yield [key, this.#options.shown(key)!];
  }

  /** Stores an entry, and shows it if its age allows. */
  put(key: string, value: T, confirmedAt: number, now: number): void {
    this.release(key);
    const age = now - confirmedAt;
    if (age > this.#maxAge) {
      this.#drop(key);
    } else if (age <= this.#options.ttl) {
      this.#fresh.set(key, confirmedAt);
      this.#options.show(key, value);
    } else {
      this.#late.set(key, confirmedAt);
      this.#showLate(key, value);
    }
  }

  putAll(known: ReadonlyMap<string, Known<T>>, now: number): void {
    for (const [key, { value, since }] of known) this.put(key, value, since, now);
  }

  /** Forgets the entry, and leaves what is visible as it is. */
  release(key: string): void {
    if (this.#fresh.delete(key) || !this.#late.delete(key)) return;
    this.#hidden.delete(key);
  }

  clear(): void {
    this.#fresh.clear();
    this.#late.clear();
    this.#hidden.clear();
    this.#unsettled = undefined;
  }

  /** Whether stale values may be shown has changed: what is late follows at once, or some of it, where it is much. */
  settleAll(now: number): void {
    // It goes on where it stands, whatever keys come and go meanwhile: those that come are settled twice.
    this.#unsettled = this.#late.keys();
    this.#settleSome(now);
  }

  /** Handles what has fallen due: some of it, where it is much. */
  age(now: number): void {
    this.#ageSome(now);
    // Afterwards: what has fallen due would be taken for fresh meanwhile.
    this.#settleSome(now);
  }

  #ageSome(now: number): void {
    for (let left = DUE_AT_A_TIME; left > 0; left -= 1) {
      if (now - this.#fresh.first > this.#options.ttl) {
        const key = this.#fresh.firstKey!;
        this.put(key, this.#options.shown(key)!, this.#fresh.first, now);
      } else if (now - this.#late.first > this.#maxAge) {
        this.#drop(this.#late.firstKey!);
      } else {
        return;
      }
    }
  }

  #settleSome(now: number): void {
    for (let left = SETTLED_AT_A_TIME; left > 0 && this.#unsettled !== undefined; left -= 1) {
      const { done, value: key } = this.#unsettled.next();
      if (done === true) {
        this.#unsettled = undefined;
      } else if (now - this.#late.get(key)! > this.#maxAge) {
        this.#drop(key);
      } else {
        const hidden = this.#hidden.get(key);
        this.#showLate(key, hidden === undefined ? this.#options.shown(key)! : hidden);
      }
    }
  }

  #showLate(key: string, value: T): void {
    if (this.#options.showsStale(key)) {
      this.#hidden.delete(key);
      this.#options.show(key, value);
    } else {
      this.#hidden.set(key, value);
      this.#options.hide(key);
    }
  }

  #drop(key: string): void {
    this.release(key);
    this.#options.hide(key);
    this.#options.onGone(key);
  }
}
