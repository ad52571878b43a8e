/**
 * Whether the keys that the change log writes are those of the rows that are read, character by character: where they
 * are not, a change is looked for under a key that nobody has, and never found.
 */
import type { Lease, Origin } from '../database.ts';
import type { DescribedColumn } from '../shape.ts';
import { arrayLiteral, rowsQuery } from '../statements.ts';
import { type ResolvedType, TypeCatalog } from '../type-catalog.ts';
import type { TouchedKeys } from './follow-options.ts';
import type { Reader } from './reader.ts';

type KeyOfReader = Pick<Reader, 'key' | 'isKeyOfTable'>;

export class LoggedKeys {
  readonly #catalog = new TypeCatalog();

  /** Why keys of the log are others than those of the readers; `undefined`: as far as can be known, they are the same. */
  async differenceBy(lease: Lease, tables: readonly string[], readers: readonly Reader[]): Promise<string | undefined> {
    const origins = readers.flatMap(({ key }) => key.flatMap(({ origin }) => (origin ? [String(origin.table)] : [])));
    const { rows } = await lease.run({ text: LOGGED, values: [arrayLiteral(tables), arrayLiteral(origins)] });
    const followed = readers.flatMap((reader) => reader.follow.map(({ keys }) => ({ reader, keys })));
    for (const [index, { reader, keys }] of followed.entries()) {
      const logged = await this.#toLogged(tables[index]!, rows[index]![0]!, lease);
      const difference = differenceOf(logged, keys, reader) ?? (await differenceOfFirst(logged, keys, reader, lease));
      if (difference !== undefined) return difference;
    }
    return undefined;
  }

  async #toLogged(table: string, text: string, lease: Lease): Promise<Logged> {
    const { key, columns, views } = JSON.parse(text) as Found;
    const found = columns.map(({ type }) => type);
    const types = await this.#catalog.resolve(found, lease);
    return { table, key, columns: columns.map((column, index) => ({ ...column, type: types[index]! })), views };
  }
}

/** Whether the key of the rows is known to be none that is made of these columns of a table. */
export function isOtherKey({ key, isKeyOfTable }: KeyOfReader, columns: readonly DescribedColumn[]): boolean {
  if (isKeyOfTable) {
    return key.length !== columns.length || key.some(({ name }, index) => name !== columns[index]!.name);
  }
  const [{ origin, type }, first] = [key[0]!, columns[0]?.origin];
  const isOfTable = origin !== undefined && origin.table === first?.table;
  // What several columns make is a text, and the SELECT's own.
  if (columns.length > 1) return isOfTable || !isOf(TEXTS, type);
  return isOfTable && origin.column !== first?.column;
}

/** A table as the log knows it. */
interface Logged {
  readonly table: string;
  readonly key: readonly string[];
  /** Those of the key, and those that are logged beside it. */
  readonly columns: readonly LoggedColumn[];
  /** Of the relations that the keys are read from: what a column of a view is made of is not known. */
  readonly views: readonly number[];
}

interface LoggedColumn extends DescribedColumn {
  readonly origin: Origin;
  /** Texts that are equal are the same, by its collation. */
  readonly isExact: boolean;
}

function differenceOf(
  { table, key, columns, views }: Logged,
  keys: TouchedKeys,
  reader: KeyOfReader,
): string | undefined {
  if (typeof keys === 'object' && 'sql' in keys) return undefined;
  const names = keys === 'key' ? key : [keys.column];
  const logged = names.flatMap((name) => columns.filter((column) => column.name === name));
  // One that has another name since is logged as a change of the whole table.
  if (logged.length !== names.length) return undefined;
  const advice = (ways: string): string => (reader.isKeyOfTable ? '' : `: follow it by ${ways}`);
  // A column that is named need not be the one that is read, but one that is always equal.
  if (keys === 'key' && isOtherKey(reader, logged)) {
    const own = listed(reader.key.map(({ name }) => name));
    return `the change log knows the rows of table ${table} by ${listed(key)}, not by ${own}${advice('{ column } or { sql }')}`;
  }
  if (logged.every((column, index) => areSameTexts(column, reader.key[index] ?? reader.key[0]!, views)))
    return undefined;
  return `the change log may write ${listed(names)} of table ${table} otherwise than the keys are read${advice('{ sql }')}`;
}

/** What text the SELECT makes of several columns is known only when there is one. */
async function differenceOfFirst(
  { table, key }: Logged,
  keys: TouchedKeys,
  { options, shape, isKeyOfTable }: Reader,
  lease: Lease,
): Promise<string | undefined> {
  if (keys !== 'key' || isKeyOfTable || key.length < 2) return undefined;
  const query = rowsQuery({ ...options, grouped: false }, shape);
  const { rows } = await lease.run({ text: `select k from (\n${query}\n) as first limit 1`, values: options.params });
  if (isListOfTexts(rows[0]?.[0] ?? '', key.length)) return undefined;
  return `the change log knows the rows of table ${table} by the JSON of texts, ["..."${',"..."'.repeat(key.length - 1)}], and no such key was read: follow it by { sql }`;
}

/** As the log writes the key of a row, which is as JSON.stringify does. */
function isListOfTexts(key: string, length: number): boolean {
  try {
    const texts: unknown = JSON.parse(key);
    const isList = Array.isArray(texts) && texts.length === length && texts.every((text) => typeof text === 'string');
    return isList && JSON.stringify(texts) === key;
  } catch {
    return false;
  }
}

interface Found extends Pick<Logged, 'key' | 'views'> {
  readonly columns: readonly (Omit<LoggedColumn, 'type'> & { readonly type: number })[];
}

const LOGGED = `select json_build_object('key', coalesce(t.key_columns, '{}'), 'columns', coalesce((
    select json_agg(json_build_object('name', a.attname, 'type', a.atttypid::int8,
      'isExact', coalesce((select collisdeterministic from pg_catalog.pg_collation where oid = a.attcollation), true),
      'origin', json_build_object('table', a.attrelid::int8, 'column', a.attnum)))
    from pg_catalog.pg_attribute as a
    where a.attrelid = to_regclass(f.name) and a.attname = any(t.key_columns || t.columns)), '[]'),
    'views', coalesce((select json_agg(v.oid::int8) from pg_catalog.pg_class as v
      where v.oid = any($2::text::oid[]) and v.relkind in ('v', 'm')), '[]'))::text
  from unnest($1::text::text[]) with ordinality as f(name, place) left join evercache.tables as t on t.tbl = f.name
  order by f.place`;

const DATE = 1082;
/**
 * The log does not write them as they are read (see column-types.ts): bytea, money, timestamp, timestamptz. And what is
 * written by a search path: regproc, regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary,
 * regcollation.
 */
const READ_OTHERWISE: ReadonlySet<number> = new Set([
  17, 790, 1114, 1184, 24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4191,
]);
/** What text a SELECT makes of them is up to its session: of date, interval, float4, float8, tsrange and the like, too. */
const UP_TO_THE_SESSION: ReadonlySet<number> = new Set([...READ_OTHERWISE, DATE, 1186, 700, 701, 3908, 3910, 3912]);
/** int8, int2, int4: the same number is the same text. */
const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23]);
/** text, varchar. */
const TEXTS: ReadonlySet<number> = new Set([25, 1043]);

/** Besides these: bool, "char", name, oid, date, uuid. Of others, equal values may be different texts: 7 and 7.00. */
const EXACT: ReadonlySet<number> = new Set([16, 18, 19, 26, DATE, 2950]);

/** Whether a value of a column, as the log writes it, is the text of the equal value in the column of the key. */
function areSameTexts(
  column: LoggedColumn,
  { type: read, origin: found }: DescribedColumn,
  views: Logged['views'],
): boolean {
  const logged = column.type;
  const origin = found === undefined || views.includes(found.table) ? undefined : found;
  const isItself = origin?.table === column.origin.table && origin.column === column.origin.column;
  if (isOf(INTEGERS, logged) && isOf(INTEGERS, read)) return true;
  if (isOf(TEXTS, logged) && isOf(TEXTS, read)) return isItself || column.isExact;
  // A text that is no column of a table may have been made of anything.
  if (isOf(TEXTS, read) && origin === undefined) return !UP_TO_THE_SESSION.has(logged.type);
  const isSameType = logged.type === read.type && logged.isArray === read.isArray;
  // Dates in an array are written as the session writes them.
  if (!isSameType || READ_OTHERWISE.has(logged.type) || (logged.isArray && logged.type === DATE)) return false;
  return isItself || origin === undefined || isOf(EXACT, logged);
}

function isOf(types: ReadonlySet<number>, { type, isArray }: ResolvedType): boolean {
  return types.has(type) && !isArray;
}

/** Columns, as a message names them. */
function listed(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
