/** How a view reads the tables: what it looks at is written down, so that it is known what a change concerns. */
import type { MirrorTables, ResolvedTable, RowOf } from './mirror-options.ts';
import { toKeyText } from './row-index.ts';
import { bucketName, type Tables } from './tables.ts';

/** One table, as the `build` of a view reads it. */
export interface TableReading<Row> {
  /**
   * The row with this key; of several columns: their values in an array, or the text of it. `null` and `undefined` are
   * the key of no row.
   */
  get(key: unknown): Row | undefined;
  /** The rows with this value in an indexed property, in the order of their keys as text. */
  by(property: string & keyof Row, value: unknown): readonly Row[];
}

/** The tables of a mirror, by name. */
export type MirrorReading<Tables extends MirrorTables> = {
  readonly [Name in keyof Tables]: TableReading<RowOf<Tables[Name]>>;
};

/** One reading of all tables. Names go to whoever builds at the moment: builds are synchronous, so it is one at a time. */
export class Reading {
  readonly tables: Readonly<Record<string, TableReading<unknown>>>;
  /** What was looked at since `begin`: rows by key, buckets by `bucketName`. */
  #seen: Set<string> = new Set();

  constructor(tables: Tables, all: readonly ResolvedTable[]) {
    const readings = all.map((table): [string, TableReading<Record<string, unknown>>] => [
      table.name,
      {
        get: (key) => {
          const text = toKeyText(key);
          if (text === undefined) return undefined;
          this.#seen.add(table.tag + text);
          return tables.row(table.tag + text) as Record<string, unknown> | undefined;
        },
        by: (property, value) => {
          if (!table.indexes.includes(property)) {
            const known = table.indexes.join(', ') || 'none';
            throw new TypeError(`table "${table.name}" has no index on "${property}"; expected one of ${known}`);
          }
          const text = toKeyText(value);
          if (text === undefined) return [];
          this.#seen.add(bucketName(table.tag, property, text));
          return tables.keysBy(table, property, text).map((key) => tables.row(key) as Record<string, unknown>);
        },
      },
    ]);
    this.tables = Object.freeze(Object.fromEntries(readings));
  }

  /** Notes from now on what is looked at. */
  begin(): Set<string> {
    this.#seen = new Set();
    return this.#seen;
  }
}
