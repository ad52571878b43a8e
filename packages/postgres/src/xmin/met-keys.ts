/**
 * Keys that were read by themselves. One that was written after a position and is gone before the next look is in neither
 * of the two, but may be in the cache: the next delta has to say that it is gone.
 */
export class MetKeys {
  /** When each was met last. */
  readonly #met = new Map<string, number>();
  #now = 0;
  /** Until then some were met of whom nothing is known any more. */
  #lostUntil = 0;

  /** From here on others are met. */
  get now(): number {
    return this.#now;
  }

  get keys(): Iterable<string> {
    return this.#met.keys();
  }

  add(keys: Iterable<string>): void {
    this.#now += 1;
    for (const key of keys) this.#met.set(key, this.#now);
  }

  /** Whether all that were met after that are known. */
  areKnownSince(then: number): boolean {
    return then >= this.#lostUntil;
  }

  /** There will be no deltas for now, and no end of keys. */
  lose(): void {
    this.#lostUntil = this.#now;
    this.#met.clear();
  }

  /** Those met until then are settled. */
  forgetUntil(then: number): void {
    for (const [key, at] of this.#met) if (at <= then) this.#met.delete(key);
  }
}
