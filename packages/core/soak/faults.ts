/** What went wrong in a run, told once and counted. */

const MOST_KINDS = 20;

export class Faults {
  readonly #kinds = new Map<string, { readonly first: string; count: number }>();

  get count(): number {
    return [...this.#kinds.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** `kind` says what must not happen, `details` how it happened. */
  note(kind: string, details: string): void {
    const known = this.#kinds.get(kind);
    if (known !== undefined) known.count += 1;
    else if (this.#kinds.size < MOST_KINDS) this.#kinds.set(kind, { first: details, count: 1 });
  }

  lines(): string[] {
    return [...this.#kinds].map(([kind, { first, count }]) => `${kind} (${count} times); first: ${first}`);
  }
}
