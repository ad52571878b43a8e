/**
 * How often the source may be asked for what it does not have: a token bucket. A token is taken by an absent answer,
 * never by a present one, so a cold start over keys that exist is not limited.
 */

/** The bucket holds what this many seconds bring. */
const BURST_SECONDS = 10;

export class AbsentLimit {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #at = 0;

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
    this.#capacity = Math.max(1, perSecond * BURST_SECONDS);
    this.#tokens = this.#capacity;
  }

  isReached(now: number): boolean {
    this.#refill(now);
    return this.#tokens < 1;
  }

  /** The source said "no such key". */
  count(now: number): void {
    this.#refill(now);
    // What was asked before the bucket was empty is answered after it, so there may be a debt. Without it a slow source
    // would be asked for everything that comes in while each new token is on its way. Bounded: one burst, however big.
    this.#tokens = Math.max(-this.#capacity, this.#tokens - 1);
  }

  #refill(now: number): void {
    if (this.#tokens < this.#capacity) {
      this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#at) * this.#perMs);
    }
    this.#at = now;
  }
}
