/**
 * One circuit breaker per source: while the source is down, nobody asks it but one probe at a time.
 */
import { fullJitter } from './backoff.ts';
import type { Clock } from './clock.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** The right to make one call. Say how it ended, once. */
export interface Pass {
  succeeded(): void;
  failed(): void;
  /** The call was given up for reasons that say nothing about the source. */
  abandoned(): void;
}

const FAILURES_TO_OPEN = 3;

export class Breaker {
  readonly #clock: Clock;
  readonly #listeners = new Set<(state: BreakerState) => void>();
  #state: BreakerState = 'closed';
  #failures = 0;
  #openings = 0;
  #retryAt = 0;
  #calls = 0;
  /** Failures of calls up to this one are no news: they were under way when something else was counted. */
  #counted = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Milliseconds until the next probe is due; 0 if nothing but a probe under way stands in its way. */
  get retryInMs(): number {
    return this.#state === 'closed' ? 0 : Math.max(0, this.#retryAt - this.#clock.now());
  }

  /** A pass, or `undefined`: not now. `insist` makes the call the probe without waiting for its time. */
  enter(insist: boolean): Pass | undefined {
    if (this.#state === 'half-open') return undefined;
    if (this.#state === 'closed') return this.#pass(false);
    if (!insist && this.retryInMs > 0) return undefined;
    this.#become('half-open');
    return this.#pass(true);
  }

  /** Calls `listener` at each change of state. Returns a function that ends it. */
  subscribe(listener: (state: BreakerState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #pass(probe: boolean): Pass {
    this.#calls += 1;
    const call = this.#calls;
    return {
      succeeded: () => this.#succeeded(),
      failed: () => this.#failed(call),
      abandoned: () => {
        if (probe && this.#state === 'half-open') this.#become('open');
      },
    };
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#openings = 0;
    this.#counted = this.#calls;
    if (this.#state !== 'closed') this.#become('closed');
  }

  #failed(call: number): void {
    // One cut connection fails all the calls that were on it: that is one failure, not ten in a row.
    if (call <= this.#counted) return;
    this.#counted = this.#calls;
    this.#failures += 1;
    if (this.#failures < FAILURES_TO_OPEN) return;
    this.#retryAt = this.#clock.now() + fullJitter(this.#openings, this.#clock.random());
    this.#openings += 1;
    this.#become('open');
  }

  #become(state: BreakerState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

interface Breakers {
  readonly byObject: WeakMap<object, Breaker>;
  readonly byName: Map<unknown, Breaker>;
}

const breakersByClock = new WeakMap<Clock, Breakers>();

/** The breaker that everybody with this key (an object, or a name) shares. */
export function breakerOf(key: unknown, clock: Clock): Breaker {
  const breakers = breakersByClock.get(clock) ?? { byObject: new WeakMap(), byName: new Map() };
  breakersByClock.set(clock, breakers);
  const isObject = (typeof key === 'object' && key !== null) || typeof key === 'function';
  const map = (isObject ? breakers.byObject : breakers.byName) as Map<unknown, Breaker>;
  const breaker = map.get(key) ?? new Breaker(clock);
  map.set(key, breaker);
  return breaker;
}
