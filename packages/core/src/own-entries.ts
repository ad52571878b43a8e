/**
 * The entries that have an age of their own, because they were fetched singly or what the last refresh said of them
 * does not count. Sees to it that each is shown or hidden as its age says.
 */
import { type Expiring, ExpiryQueue } from './expiry-queue.ts';

/** An entry with an age of its own. */
export interface Own<T> extends Expiring {
  readonly key: string;
  value: T;
  confirmedAt: number;
  /** `fresh` and `stale` are visible; `reserve` waits for the source to fail. */
  phase: 'fresh' | 'stale' | 'reserve';
}

interface OwnEntriesOptions<T> {
  readonly ttl: number;
  readonly staleIfError: number;
  /** May a value be shown after its ttl? */
  readonly showsStale: (key: string) => boolean;
  readonly show: (key: string, value: T) => void;
  readonly hide: (key: string) => void;
  /** Too old for any use. */
  readonly onGone: (key: string) => void;
}

/** Entries handled before others get their turn: about a millisecond. */
const DUE_AT_A_TIME = 1_000;

export class OwnEntries<T> {
  readonly #options: OwnEntriesOptions<T>;
  readonly #entries = new Map<string, Own<T>>();
  readonly #queue = new ExpiryQueue<Own<T>>();
  #stale = 0;

  constructor(options: OwnEntriesOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Is one of them visible although it is older than its ttl? */
  get showStale(): boolean {
    return this.#stale > 0;
  }

  /** A moment before which nothing falls due. */
  get nextAt(): number {
    return this.#queue.nextAt;
  }

  get(key: string): Own<T> | undefined {
    return this.#entries.get(key);
  }

  /** The one that was stored first stands first. */
  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  values(): IterableIterator<Own<T>> {
    return this.#entries.values();
  }

  /** Stores an entry, and shows it if its age allows. */
  put(key: string, value: T, confirmedAt: number, now: number): void {
    const own = this.#entries.get(key) ?? { key, value, confirmedAt, phase: 'reserve', ...NOT_QUEUED };
    if (own.phase === 'stale') this.#stale -= 1;
    own.value = value;
    own.confirmedAt = confirmedAt;
    own.phase = 'reserve';
    this.#entries.delete(key);
    this.#entries.set(key, own);
    this.#settle(own, now);
  }

  /** Forgets the entry, and leaves what is visible as it is. */
  release(key: string): void {
    const own = this.#entries.get(key);
    if (own === undefined) return;
    if (own.phase === 'stale') this.#stale -= 1;
    own.removed = true;
    this.#entries.delete(key);
    if (this.#queue.size > 2 * this.#entries.size + 64) this.#queue.compact();
  }

  clear(): void {
    this.#entries.clear();
    this.#queue.clear();
    this.#stale = 0;
  }

  /** Whether stale values may be shown has changed. */
  settleAll(now: number): void {
    for (const own of this.#entries.values()) if (own.phase !== 'fresh') this.#settle(own, now);
  }

  /** Handles what has fallen due: some of it, where it is much. */
  age(now: number): void {
    for (let left = DUE_AT_A_TIME; left > 0; left -= 1) {
      const own = this.#queue.takeDue(now);
      if (own === undefined) return;
      this.#settle(own, now);
    }
  }

  /** Puts an entry where its age says, and queues it for its next change. */
  #settle(own: Own<T>, now: number): void {
    const { ttl, staleIfError, showsStale, show, hide, onGone } = this.#options;
    const age = now - own.confirmedAt;
    if (age > ttl + staleIfError) {
      this.release(own.key);
      hide(own.key);
      onGone(own.key);
      return;
    }
    if (own.phase === 'stale') this.#stale -= 1;
    if (age <= ttl) own.phase = 'fresh';
    else own.phase = showsStale(own.key) ? 'stale' : 'reserve';
    if (own.phase === 'stale') this.#stale += 1;
    if (own.phase === 'reserve') hide(own.key);
    else show(own.key, own.value);
    own.deadline = own.confirmedAt + (own.phase === 'fresh' ? ttl : ttl + staleIfError);
    this.#queue.add(own);
  }
}

const NOT_QUEUED = { deadline: 0, queuedFor: undefined, removed: false };
