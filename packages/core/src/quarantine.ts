/** Rows that failed their schema: why, by key. Where there are too many, the one that was refused first is forgotten. */
export class Quarantine extends Map<string, string> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: string, problem: string): this {
    super.set(key, problem);
    if (this.size > this.#most) this.delete(this.keys().next().value!);
    return this;
  }
}
