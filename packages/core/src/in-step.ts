/** After so many keys in a row that were not expected, they are looked for further on; the next time after four times as many. */
const FIRST_PATIENCE = 2;

/**
 * Finds what is held, key by key. A source mostly answers in the order in which it answered before, so this walks through
 * what is held in step with the answer, and finds most keys where it stands. That spares a look-up for each row, which
 * waits for memory.
 *
 *     held    a  b  c  d  e  f      c has moved: d and e are looked up, then the walk catches up with e,
 *     answer  a  b  d  e  f  c      f is found where it stands, and c is looked up
 */
export class InStep<T> {
  readonly #held: () => ReadonlyMap<string, T>;
  #walked: ReadonlyMap<string, T> | undefined;
  #walk: Iterator<readonly [string, T], undefined> = [].values();
  /** Where the walk stands, if another key came than this one. */
  #expected: string | undefined;
  #misses = 0;
  #patience = FIRST_PATIENCE;

  /** @param held what is held now; it may change between two calls, and become another map */
  constructor(held: () => ReadonlyMap<string, T>) {
    this.#held = held;
  }

  /** What is held under this key now. */
  find(key: string): T | undefined {
    const held = this.#held();
    if (held !== this.#walked) this.#walkThrough(held);
    if (this.#expected === undefined) {
      const entry = this.#walk.next().value;
      if (entry?.[0] === key) return entry[1];
      this.#expected = entry?.[0];
    } else if (this.#expected === key) {
      this.#isInStep();
      return held.get(key);
    }
    const value = held.get(key);
    // A new row says nothing of where the others are.
    if (value !== undefined) this.#miss(key);
    return value;
  }

  /** Lets go of what was held at the last call: it may be held no more. */
  end(): void {
    this.#walked = undefined;
    this.#walk = [].values();
  }

  #walkThrough(held: ReadonlyMap<string, T>): void {
    this.#walked = held;
    this.#walk = held.entries();
    this.#isInStep();
  }

  #isInStep(): void {
    this.#expected = undefined;
    this.#misses = 0;
    this.#patience = FIRST_PATIENCE;
  }

  #miss(key: string): void {
    this.#misses += 1;
    if (this.#misses === this.#patience) this.#catchUp(key);
  }

  /**
   * Either rows are gone from where the walk stands, or others have moved there, and then the expected ones are still to
   * come. Nobody knows which; so it goes twice as far as it has waited, and if that was too far it waits until the answer
   * has caught up. Whatever the order, that is a few steps for each key.
   */
  #catchUp(key: string): void {
    for (let steps = 2 * this.#patience; steps > 0; steps -= 1) {
      this.#expected = this.#walk.next().value?.[0];
      if (this.#expected === undefined) return;
      if (this.#expected === key) {
        this.#isInStep();
        return;
      }
    }
    this.#patience *= 4;
  }
}
