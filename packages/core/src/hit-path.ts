/**
 * A read from memory: one look-up and its counters, without a branch. A branch on what was found, or on whether it is
 * stale, costs more than all the rest: so the way to read is chosen when the freshness changes, not when it is read, and
 * what is counted are reads and misses.
 */
import type { BasePhase } from './base-age.ts';
import type { Counters } from './counters.ts';

interface Memory<T> {
  /** What readers may see. */
  readonly live: ReadonlyMap<string, T>;
}

/** Keys that have an age of their own. */
interface Own {
  readonly hasFresh: boolean;
  isFresh(key: string): boolean;
  isLate(key: string): boolean;
}

/** While all that is visible is fresh. */
class FreshReads<T> {
  readonly memory: Memory<T>;
  readonly counters: Counters;

  constructor(memory: Memory<T>, counters: Counters) {
    this.memory = memory;
    this.counters = counters;
  }

  get(key: string): T | undefined {
    const value = this.memory.live.get(key);
    this.counters.reads += 1;
    this.counters.misses += value === undefined ? 1 : 0;
    return value;
  }
}

/** While all that is visible is stale. */
class StaleReads<T> extends FreshReads<T> {
  override get(key: string): T | undefined {
    const value = super.get(key);
    this.counters.staleHits += value === undefined ? 0 : 1;
    return value;
  }
}

abstract class MixedReads<T> extends FreshReads<T> {
  readonly own: Own;

  constructor(memory: Memory<T>, counters: Counters, own: Own) {
    super(memory, counters);
    this.own = own;
  }
}

/** While all that is visible is fresh but for some keys, which have an age of their own: one look-up more. */
class SomeStaleReads<T> extends MixedReads<T> {
  override get(key: string): T | undefined {
    const value = super.get(key);
    if (value !== undefined && this.own.isLate(key)) this.counters.staleHits += 1;
    return value;
  }
}

/** While all that is visible is stale but for such keys. */
class SomeFreshReads<T> extends MixedReads<T> {
  override get(key: string): T | undefined {
    const value = super.get(key);
    if (value !== undefined && !this.own.isFresh(key)) this.counters.staleHits += 1;
    return value;
  }
}

export type Reads<T> = Pick<FreshReads<T>, 'get'>;

/** The ways to read, by what is visible. */
export class HitPath<T> {
  readonly #own: Own;
  readonly #fresh: Reads<T>;
  readonly #stale: Reads<T>;
  readonly #someStale: Reads<T>;
  readonly #someFresh: Reads<T>;

  constructor(memory: Memory<T>, counters: Counters, own: Own) {
    this.#own = own;
    this.#fresh = new FreshReads(memory, counters);
    this.#stale = new StaleReads(memory, counters);
    this.#someStale = new SomeStaleReads(memory, counters, own);
    this.#someFresh = new SomeFreshReads(memory, counters, own);
  }

  /** While the age that most keys share is in this phase. `allFresh`: nothing that is visible is stale. */
  by(phase: BasePhase, allFresh: boolean): Reads<T> {
    if (allFresh) return this.#fresh;
    if (phase !== 'fresh' && !this.#own.hasFresh) return this.#stale;
    return phase === 'stale' ? this.#someFresh : this.#someStale;
  }
}
