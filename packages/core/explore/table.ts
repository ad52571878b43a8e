/** The truth: a table whose every commit has a number, so that it can be said what was true at any moment. */

/** What a commit made of a row. */
export type RowState = 'good' | 'bad' | 'deleted';

interface Commit {
  readonly number: number;
  readonly at: number;
  readonly rows: ReadonlyMap<string, RowState>;
}

/** One row as of one moment; `version` is the commit that wrote it. */
export interface Row {
  readonly version: number;
  readonly bad: boolean;
}

export class Table {
  readonly #commits: Commit[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The last commit. */
  get head(): number {
    return this.#commits.length;
  }

  commit(rows: ReadonlyMap<string, RowState>): void {
    this.#commits.push({ number: this.head + 1, at: this.#now(), rows });
  }

  row(key: string, asOf: number = this.head): Row | undefined {
    for (let number = asOf; number > 0; number -= 1) {
      const state = this.#commits[number - 1]!.rows.get(key);
      if (state === 'deleted') return undefined;
      if (state !== undefined) return { version: number, bad: state === 'bad' };
    }
    return undefined;
  }

  rows(asOf: number = this.head): Map<string, Row> {
    const keys = new Set(this.#commits.slice(0, asOf).flatMap(({ rows }) => [...rows.keys()]));
    const rows = new Map<string, Row>();
    for (const key of keys) {
      const row = this.row(key, asOf);
      if (row !== undefined) rows.set(key, row);
    }
    return rows;
  }

  /** The keys that were written after one commit, up to another. */
  changed(after: number, upTo: number): Set<string> {
    return new Set(this.#commits.slice(after, upTo).flatMap(({ rows }) => [...rows.keys()]));
  }

  /** The commit that overwrote this version of a row; Infinity: none has. */
  supersededBy(key: string, version: number): number {
    const by = this.#commits.find(({ number, rows }) => number > version && rows.has(key));
    return by?.number ?? Number.POSITIVE_INFINITY;
  }

  /** When it was made. */
  committedAt(number: number): number {
    return this.#commits[number - 1]?.at ?? Number.POSITIVE_INFINITY;
  }
}
