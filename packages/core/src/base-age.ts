/** The age that all keys of the last refresh share. */

export type BasePhase = 'none' | 'fresh' | 'stale' | 'gone';

export class BaseAge {
  readonly #ttl: number;
  readonly #maxAge: number;
  #confirmedAt: number | undefined;
  #phase: BasePhase = 'none';

  constructor({ ttl, staleIfError }: { readonly ttl: number; readonly staleIfError: number }) {
    this.#ttl = ttl;
    this.#maxAge = ttl + staleIfError;
  }

  /** When the set as a whole was last confirmed; `undefined`: never. */
  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  /** As of the last look. */
  get phase(): BasePhase {
    return this.#phase;
  }

  /** A moment before which the phase stays as it is. */
  get nextAt(): number {
    if (this.#confirmedAt === undefined || this.#phase === 'gone') return Number.POSITIVE_INFINITY;
    return this.#confirmedAt + (this.#phase === 'fresh' ? this.#ttl : this.#maxAge);
  }

  confirm(confirmedAt: number, now: number): void {
    this.#confirmedAt = confirmedAt;
    this.look(now);
  }

  clear(): void {
    this.#confirmedAt = undefined;
    this.#phase = 'none';
  }

  /** Has the phase changed? */
  look(now: number): boolean {
    const before = this.#phase;
    if (this.#confirmedAt !== undefined) {
      const age = now - this.#confirmedAt;
      this.#phase = age <= this.#ttl ? 'fresh' : age <= this.#maxAge ? 'stale' : 'gone';
    }
    return this.#phase !== before;
  }
}
