/** Reads the rows of one table of a mirror; its keys are those of the change log, behind the table's tag. */
import { alone } from '../alone.ts';
import type { Lease, Statement } from '../database.ts';
import { badResult } from '../errors.ts';
import type { Reader } from '../following/reader.ts';
import { type ResolvedOptions, resolveOptions } from '../options.ts';
import type { Column, Shape } from '../shape.ts';
import { ShapeReader } from '../shape-reader.ts';
import { arrayLiteral, keyText, primaryKeySql, quoted, rowsQuery } from '../statements.ts';
import type { ResolvedMirror, ResolvedTable } from './mirror-options.ts';

export interface TableReader extends Reader {
  readonly table: ResolvedTable;
}

/** The tables as they were found last. */
export class TableReaders {
  readonly #mirror: ResolvedMirror;
  readonly #shapes = new Map<
    string,
    { readonly key: string; readonly options: ResolvedOptions; readonly shapes: ShapeReader }
  >();
  latest: readonly TableReader[] | undefined;

  constructor(mirror: ResolvedMirror) {
    this.#mirror = mirror;
  }

  /** Asks what keys and columns the tables have. In a transaction, they are locked against changes of that. */
  async readBy(lease: Lease): Promise<readonly TableReader[]> {
    const { tables } = this.#mirror;
    const { rows } = await lease.run(primaryKeys(tables));
    const readers: TableReader[] = [];
    for (const [index, table] of tables.entries()) {
      const [exists, primaryKey] = rows[index]!;
      if (exists !== 'true') throw badResult(`relation ${table.table} does not exist`, '42P01');
      const keyColumns = table.key ?? (JSON.parse(primaryKey ?? '[]') as string[]);
      if (keyColumns.length === 0) {
        throw badResult(`relation ${table.table} has no primary key: expected the option "tables.${table.name}.key"`);
      }
      const { options, shapes } = this.#optionsOf(table, keyColumns);
      readers.push(tableReader({ table, keyColumns, options, shape: await shapes.readBy(lease) }));
    }
    this.latest = readers;
    return readers;
  }

  readAlone(signal: AbortSignal): Promise<readonly TableReader[]> {
    return alone(this.#mirror.database, signal, (lease) => this.readBy(lease));
  }

  #optionsOf(table: ResolvedTable, keyColumns: readonly string[]): { options: ResolvedOptions; shapes: ShapeReader } {
    const key = JSON.stringify(keyColumns);
    const known = this.#shapes.get(table.name);
    if (known?.key === key) return known;
    const columns = table.columns && [...new Set([...keyColumns, ...table.columns])].map(quoted).join(', ');
    const select = `select ${columns ?? '*'} from ${table.table}${table.where === undefined ? '' : `\nwhere ${table.where}`}`;
    const { client } = this.#mirror;
    const options = resolveOptions({ client, select, key: keyColumns[0]!, ...(table.map && { map: table.map }) });
    const made = { key, options, shapes: new ShapeReader(options) };
    this.#shapes.set(table.name, made);
    return made;
  }
}

function primaryKeys(tables: readonly ResolvedTable[]): Statement {
  return {
    text: `select (to_regclass(f.name) is not null)::text, ${primaryKeySql('to_regclass(f.name)')}::text
  from unnest($1::text::text[]) with ordinality as f(name, place) order by f.place`,
    values: [arrayLiteral(tables.map(({ table }) => table))],
  };
}

interface Found {
  readonly table: ResolvedTable;
  readonly keyColumns: readonly string[];
  readonly options: ResolvedOptions;
  readonly shape: Shape;
}

function tableReader({ table, keyColumns, options, shape: found }: Found): TableReader {
  const { tag } = table;
  const key = keyColumns.map((name) => columnOf(found, name, table));
  const text = keyText(key.map(({ name }) => `r.${quoted(name)}`));
  const shape = { ...found, keySql: `'${tag}' || ${text}` };
  const among = (relation: string): string => {
    const part = (index: number): string => (key.length === 1 ? 'k' : `(k::json ->> ${index})`);
    // By each column in its own type, so that the index of the primary key is used: more than is wanted where these
    // are several, so the whole text has the last word.
    const byColumn = key.flatMap(({ name, comparison }, index) => {
      if (comparison === undefined) return [];
      const { cast, sqlOf } = comparison;
      return `q.${quoted(name)} = any((select array_agg(${sqlOf(part(index))}) from ${relation})::${cast}[])`;
    });
    const byText = `${text} = any((select array_agg(k) from ${relation})::text[])`;
    return [...byColumn, ...(key.length === 1 && byColumn.length === 1 ? [] : [byText])].join(' and ');
  };
  return {
    table,
    options,
    shape,
    follow: [{ name: table.table, keys: 'key' }],
    key,
    isKeyOfTable: true,
    tag,
    among,
    rowsOf: (wanted) => {
      const list = [...wanted];
      if (list.length === 0) return undefined;
      const text = rowsQuery(options, shape, among('unnest($1::text::text[]) as listed(k)'));
      return { text, values: [arrayLiteral(list)] };
    },
  };
}

function columnOf({ columns }: Shape, name: string, { name: table }: ResolvedTable): Column {
  const column = columns.find((known) => known.name === name);
  if (column !== undefined) return column;
  throw badResult(`column "${name}" does not exist: option "tables.${table}.key" needs it`, '42703');
}
