/** From the database's rows, a key and a JSON text each, to what the cache holds. */
import { badResult, PostgresError } from './errors.ts';
import type { PostgresRow, ResolvedOptions } from './options.ts';
import type { Recall } from './row-memory.ts';

export type RawRow = readonly (string | null)[];

/** Puts rows into the right hands: one after the other, those of a group next to each other. */
export interface RowReader {
  /** Takes rows, gives the entries they complete. */
  take(rows: readonly RawRow[]): Iterable<readonly [string, unknown]>;
  /** Gives what is left when there are no more rows. */
  finish(): Iterable<readonly [string, unknown]>;
}

/** `recall`: what is known of a text. @default nothing */
export function rowReader(options: ResolvedOptions, recall: Recall = (_key, _text, make) => make()): RowReader {
  return options.grouped ? new GroupReader(options, recall) : new SingleReader(options, recall);
}

/** The rows of exactly these keys: a column's own `=` may find more, 7 for '007', 'A' for 'a' in some collations. */
export function rowsOfKeys(rows: readonly RawRow[], keys: ReadonlySet<string>): readonly RawRow[] {
  return rows.filter(([key]) => typeof key === 'string' && keys.has(key));
}

class SingleReader implements RowReader {
  readonly #options: ResolvedOptions;
  readonly #recall: Recall;
  readonly #seen = new Set<string>();

  constructor(options: ResolvedOptions, recall: Recall) {
    this.#options = options;
    this.#recall = recall;
  }

  *take(rows: readonly RawRow[]): Iterable<readonly [string, unknown]> {
    for (const row of rows) {
      const key = keyOf(row, this.#options);
      if (this.#seen.has(key)) {
        throw badResult(
          `two rows have the same key in column "${this.#options.key}"; expected one, or rows: 'grouped'`,
        );
      }
      this.#seen.add(key);
      const text = row[1]!;
      yield [key, this.#recall(key, text, () => itemOf(text, this.#options))];
    }
  }

  finish(): Iterable<readonly [string, unknown]> {
    return [];
  }
}

interface Group {
  readonly key: string;
  readonly texts: string[];
}

class GroupReader implements RowReader {
  readonly #options: ResolvedOptions;
  readonly #recall: Recall;
  #group: Group | undefined;

  constructor(options: ResolvedOptions, recall: Recall) {
    this.#options = options;
    this.#recall = recall;
  }

  *take(rows: readonly RawRow[]): Iterable<readonly [string, unknown]> {
    for (const row of rows) {
      const key = keyOf(row, this.#options);
      if (this.#group?.key !== key) {
        if (this.#group !== undefined) yield this.#entryOf(this.#group);
        this.#group = { key, texts: [] };
      }
      const text = row[1];
      // Null: the row only says that the key exists (`presentWhen`).
      if (typeof text === 'string') this.#group.texts.push(text);
    }
  }

  finish(): Iterable<readonly [string, unknown]> {
    return this.#group === undefined ? [] : [this.#entryOf(this.#group)];
  }

  #entryOf({ key, texts }: Group): readonly [string, unknown] {
    return [key, this.#recall(key, texts, () => texts.map((text) => itemOf(text, this.#options)))];
  }
}

function keyOf(row: RawRow, { key }: ResolvedOptions): string {
  const text = row[0];
  if (typeof text !== 'string') throw badResult(`column "${key}" is null in a row; expected every row to have a key`);
  return text;
}

function itemOf(text: string, { map }: ResolvedOptions): unknown {
  const row = JSON.parse(text) as PostgresRow;
  if (map === undefined) return row;
  let item: unknown;
  try {
    item = map(row);
  } catch (cause) {
    const thrown = cause instanceof Error ? cause.name : typeof cause;
    const message = `map threw ${thrown} for a row; expected a value for every row`;
    throw new PostgresError({ message, reachable: true, cause });
  }
  // Undefined would say that the key is absent, and its row is there.
  if (item === undefined) throw badResult('map returned undefined for a row; expected a value for every row');
  return item;
}
