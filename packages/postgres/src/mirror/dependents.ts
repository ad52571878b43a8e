/** Who looked at what: the way from a changed row to the values that were made of it. */

export class Dependents<E> {
  readonly #byName = new Map<string, Set<E>>();

  /** Those who looked at one of these. Some may come twice. */
  *of(names: ReadonlySet<string>): Generator<E> {
    // Of a large change most has been looked at by nobody.
    if (names.size <= this.#byName.size) {
      for (const name of names) yield* this.#byName.get(name) ?? [];
    } else {
      for (const [name, entries] of this.#byName) if (names.has(name)) yield* entries;
    }
  }

  /** What it looks at from now on; gives that back, to be kept. */
  move(entry: E, before: readonly string[], now: ReadonlySet<string>): readonly string[] {
    if (before.length === now.size && before.every((name) => now.has(name))) return before;
    this.remove(
      entry,
      before.filter((name) => !now.has(name)),
    );
    for (const name of now) {
      const entries = this.#byName.get(name);
      if (entries === undefined) this.#byName.set(name, new Set([entry]));
      else entries.add(entry);
    }
    return [...now];
  }

  remove(entry: E, names: readonly string[]): void {
    for (const name of names) {
      const entries = this.#byName.get(name);
      entries?.delete(entry);
      if (entries?.size === 0) this.#byName.delete(name);
    }
  }

  clear(): void {
    this.#byName.clear();
  }
}
