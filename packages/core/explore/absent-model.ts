/**
 * How many absent answers the source may still be asked for, seen from outside: never fewer than core has left, for
 * what a whole snapshot leaves out is not counted here.
 */
const BURST_SECONDS = 10;
/** What sums of parts of a token may differ by. */
const HARDLY_ANYTHING = 1e-6;

export class AbsentModel {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #at = 0;
  /** Answers that have landed, of which core may not have heard yet. */
  #unheard = 0;

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
    this.#capacity = Math.max(1, perSecond * BURST_SECONDS);
    this.#tokens = this.#capacity;
  }

  /** A read was told that there is no such key. */
  landed(): void {
    this.#unheard += 1;
  }

  /** What core has not heard of, it will not. */
  stopped(): void {
    this.#unheard = 0;
  }

  /** Core has heard of all that has landed. */
  caughtUp(now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(-this.#capacity, this.#tokens - this.#unheard);
    this.#unheard = 0;
  }

  /** May the source be asked for a key of which nothing is known? */
  mayAsk(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= 1 - HARDLY_ANYTHING;
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
