/** The rows that all sources of a run read: they change all the time, commit by commit, and say what changed since when. */
import type { Random } from './random.ts';

/** What is true of a key. */
interface Record {
  readonly commit: number;
  readonly payload: string;
}

/** Never removed. */
export const FIXED_KEYS: readonly string[] = Array.from({ length: 100 }, (_, index) => `fixed-${index}`);
/** Two keys that are always changed in one commit. Never removed. */
export const PAIRS: readonly (readonly [string, string])[] = Array.from({ length: 20 }, (_, index) => [
  `left-${index}`,
  `right-${index}`,
]);
/** Keys that come and go, each once. */
const PASSING_KEYS = 80;
/** Whoever asks for changes before these has to read everything. */
const COMMITS_REMEMBERED = 500;
const COMMITS_REMEMBERED_PER_KEY = 10;
const REMOVED_KEYS_REMEMBERED = 200;
const LONGEST_PAYLOAD = 100;

export class Truth {
  readonly rows: Map<string, Record> = new Map();
  readonly #random: Random;
  readonly #passing: string[] = [];
  #commits = 0;
  #born = 0;
  #unknown = 0;
  /** The keys of the last commits, the newest last. */
  readonly #log: string[][] = [];
  /** The last commits that touched a key, the newest last. */
  readonly #history = new Map<string, number[]>();
  readonly #removed: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    for (const key of FIXED_KEYS) this.#commit([key], []);
    for (const pair of PAIRS) this.#commit(pair, []);
    while (this.#passing.length < PASSING_KEYS) this.#bear();
  }

  /** The number of the last commit; a position for `changesSince`. */
  get commits(): number {
    return this.#commits;
  }

  /** A key that exists, or has existed until lately. */
  someKey(): string {
    const kind = this.#random.weighted({ fixed: 5, pair: 2, passing: 3 });
    if (kind === 'fixed') return this.#random.pick(FIXED_KEYS);
    if (kind === 'pair') return this.#random.pick(this.#random.pick(PAIRS));
    return `passing-${Math.max(1, this.#born - this.#random.whole(0, PASSING_KEYS + 5))}`;
  }

  /** Keys that never were and never will be, each once. */
  unknownKeys(count: number): string[] {
    return Array.from({ length: count }, () => {
      this.#unknown += 1;
      return `unknown-${this.#unknown}`;
    });
  }

  change(): void {
    const kind = this.#random.weighted({ update: 6, pair: 2, pass: 2 });
    if (kind === 'update') this.#commit([this.#random.pick([...FIXED_KEYS, ...this.#passing])], []);
    else if (kind === 'pair') this.#commit(this.#random.pick(PAIRS), []);
    else this.#bear();
  }

  /** The keys that were touched since a position; `undefined`: that is not known any more. */
  changesSince(position: number): ReadonlySet<string> | undefined {
    const count = this.#commits - position;
    if (count > this.#log.length) return undefined;
    return new Set(count === 0 ? [] : this.#log.slice(-count).flat());
  }

  /** The commit that put an end to this row: at the latest this one, where that was too long ago. */
  endOf(key: string, commit: number): number {
    return this.#history.get(key)?.find((later) => later > commit) ?? Number.POSITIVE_INFINITY;
  }

  /** One key comes, and the oldest goes, in one commit. */
  #bear(): void {
    this.#born += 1;
    const key = `passing-${this.#born}`;
    this.#passing.push(key);
    this.#commit([key], this.#passing.length > PASSING_KEYS ? [this.#passing.shift()!] : []);
  }

  #commit(changed: readonly string[], removed: readonly string[]): void {
    this.#commits += 1;
    const payload = 'x'.repeat(this.#random.whole(1, LONGEST_PAYLOAD));
    for (const key of changed) this.rows.set(key, { commit: this.#commits, payload });
    for (const key of removed) this.rows.delete(key);
    for (const key of [...changed, ...removed]) {
      const history = this.#history.get(key) ?? [];
      this.#history.set(key, [...history, this.#commits].slice(-COMMITS_REMEMBERED_PER_KEY));
    }
    this.#removed.push(...removed);
    if (this.#removed.length > REMOVED_KEYS_REMEMBERED) this.#history.delete(this.#removed.shift()!);
    this.#log.push([...changed, ...removed]);
    if (this.#log.length > COMMITS_REMEMBERED) this.#log.shift();
  }
}
