/** Rows that failed their schema: why, by key. Where there are too many, the one that was refused first is forgotten. */
export class Quarantine extends Map<string, string> {
  readonly #most: number;
  readonly #onForgotten: (key: string) => void;

  constructor(most: number, onForgotten: (key: string) => void) {
    super();
    this.#most = most;
    this.#onForgotten = onForgotten;
  }

  override set(key: string, problem: string): this {
    super.set(key, problem);
    if (this.size <= this.#most) return this;
    const oldest = this.keys().next().value!;
    this.delete(oldest);
    this.#onForgotten(oldest);
    return this;
  }
}
