/** Views of the visible map that do not change while they are open, whatever is published meanwhile. */

/** What was visible when it was opened: the map of that time, and beside it what has changed in that map since. */
export class View<T> {
  #live: ReadonlyMap<string, T>;
  /** `undefined`: the key was not there. */
  readonly #before = new Map<string, T | undefined>();
  readonly #onClose: () => void;
  readonly size: number;

  constructor(live: ReadonlyMap<string, T>, onClose: () => void) {
    this.#live = live;
    this.#onClose = onClose;
    this.size = live.size;
  }

  get(key: string): T | undefined {
    // Most views see nothing change: one look-up is enough then.
    if (this.#before.size > 0 && this.#before.has(key)) return this.#before.get(key);
    return this.#live.get(key);
  }

  *entries(): Generator<[string, T]> {
    // A key that changes after it was given stands among the changed ones from then on: it is not given again.
    const given = new Set<string>();
    for (const entry of this.#live) {
      if (this.#before.has(entry[0])) continue;
      given.add(entry[0]);
      yield entry;
    }
    for (const [key, value] of this.#before) if (value !== undefined && !given.has(key)) yield [key, value];
  }

  /** Lets go of everything. */
  close(): void {
    this.#live = new Map();
    this.#before.clear();
    this.#onClose();
  }

  /** Only the first change matters: what came after it was never seen here. */
  keep(key: string, value: T | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, value);
  }
}

/** The open views of one map. */
export class Views<T> {
  /** Another number whenever the map has changed. */
  revision = 0;
  readonly #open = new Set<View<T>>();

  open(live: ReadonlyMap<string, T>): View<T> {
    const view = new View(live, () => this.#open.delete(view));
    this.#open.add(view);
    return view;
  }

  /** To be called before the value under `key` changes. */
  keep(key: string, value: T | undefined): void {
    this.revision += 1;
    for (const view of this.#open) view.keep(key, value);
  }

  /** Another map is shown from now on: who looks at the old one has it to himself. */
  detach(): void {
    this.revision += 1;
    this.#open.clear();
  }
}
