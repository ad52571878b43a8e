/** What was really done, and what was found to be wrong. */

/** So many messages of one kind say enough. */
const SHOWN = 5;

export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #faults = new Map<string, { count: number; readonly details: string[] }>();

  count(what: string, times = 1): void {
    this.#counts.set(what, this.of(what) + times);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** A promise was broken. */
  fault(what: string, detail: string): void {
    const known = this.#faults.get(what) ?? { count: 0, details: [] };
    known.count += 1;
    if (known.details.length < SHOWN) known.details.push(detail);
    this.#faults.set(what, known);
  }

  get faults(): readonly string[] {
    return [...this.#faults].flatMap(([what, { count, details }]) => [
      `${what} (${count} times)`,
      ...details.map((detail) => `  ${detail}`),
    ]);
  }
}
