/** Who looked at what: the way from a changed row to the values that were made of it. */

export class Dependents<E extends object> {
  /** Most rows are looked at for one value only: that needs no set. */
  readonly #byName = new Map<string, E | Set<E>>();

  /** Goes to those who looked at one of these; to some of them more than once. */
  visit(names: ReadonlySet<string>, go: (entry: E) => void): void {
    const all = (entries: E | Set<E> | undefined): void => {
      if (entries instanceof Set) entries.forEach(go);
      else if (entries !== undefined) go(entries);
    };
    // Of a large change most has been looked at by nobody.
    if (names.size <= this.#byName.size) {
      for (const name of names) all(this.#byName.get(name));
    } else {
      for (const [name, entries] of this.#byName) if (names.has(name)) all(entries);
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
      if (entries === undefined) this.#byName.set(name, entry);
      else if (entries instanceof Set) entries.add(entry);
      else if (entries !== entry) this.#byName.set(name, new Set([entries, entry]));
    }
    return [...now];
  }

  remove(entry: E, names: readonly string[]): void {
    for (const name of names) {
      const entries = this.#byName.get(name);
      if (entries === entry) this.#byName.delete(name);
      if (!(entries instanceof Set)) continue;
      entries.delete(entry);
      if (entries.size === 0) this.#byName.delete(name);
    }
  }

  clear(): void {
    this.#byName.clear();
  }
}
