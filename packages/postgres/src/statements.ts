/**
 * The SQL around the user's SELECT. Two columns come back: the key's text and the row as JSON text, so that what a row
 * looks like is decided in one place, the database, and the text is at hand before anything is parsed.
 */
import { type KeyComparison, OUTPUT_SETTINGS } from './column-types.ts';
import type { Statement } from './database.ts';
import type { ResolvedOptions } from './options.ts';
import type { Shape } from './shape.ts';

const CURSOR = 'evercache_rows';

/** Rows a snapshot reads at a time. */
export const BATCH_SIZE = 2000;

/**
 * One row: the names of the columns as JSON, then a null of each column's type. The join condition is never true, so
 * the SELECT is planned, its rights are checked, and it is not run. The names come as data because a client may change
 * what it calls a column.
 */
export function describeStatement({ select, params }: ResolvedOptions): Statement {
  const text = `select (select json_agg(name) from json_object_keys(row_to_json(r.*)) as name)::text, r.*
from (select q.* from (values (1)) as one left join (
${select}
) as q on false) as r`;
  return { text, values: params };
}

/** Declares the cursor of a snapshot. */
export function declareStatement(options: ResolvedOptions, shape: Shape): Statement {
  return cursorFor({ text: rowsQuery(options, shape), values: options.params });
}

/** Declares the cursor that `FETCH_BATCH` reads. */
export function cursorFor({ text, values }: Statement): Statement {
  return { text: `declare ${CURSOR} no scroll cursor for ${text}`, values };
}

export const FETCH_BATCH: Statement = { text: `fetch ${BATCH_SIZE} from ${CURSOR}`, values: [] };

export const CLOSE_CURSOR: Statement = { text: `close ${CURSOR}`, values: [] };

/** A cursor is planned for its first rows; we read them all. */
export const PLAN_FOR_ALL_ROWS: Statement = { text: 'set local cursor_tuple_fraction = 1', values: [] };

/**
 * `true`: a table that this transaction reads was written anew (ALTER TABLE, TRUNCATE) after its snapshot was taken, and
 * looks empty to it. It happens to whoever waits for the lock: the snapshot comes first. The catalog's table is read as
 * of the snapshot, the function knows the present.
 */
export const SEES_EMPTIED_TABLE: Statement = {
  text: `select exists (select from pg_catalog.pg_locks as l join pg_catalog.pg_class as c on c.oid = l.relation
  where l.pid = pg_backend_pid() and c.relfilenode not in (0, pg_relation_filenode(c.oid)))::text`,
  values: [],
};

/** The rows of these keys; `undefined`: none of them can be a key of this column. */
export function keysStatement(options: ResolvedOptions, shape: Shape, keys: Iterable<string>): Statement | undefined {
  const comparison = shape.keyComparison;
  const candidates = [...keys].filter((key) => comparison?.accepts(key) ?? true);
  if (candidates.length === 0) return undefined;
  const list = `$${options.params.length + 1}::text::text[]`;
  const condition = keyIsAmong(options, shape, { texts: list, values: ({ cast }) => `${list}::${cast}[]` });
  const values = [...options.params, arrayLiteral(candidates)];
  return { text: rowsQuery(options, shape, condition), values, repeats: true };
}

interface KeyList {
  /** SQL of an array of texts. */
  readonly texts: string;
  /** SQL of the same in the column's own type. */
  readonly values: (comparison: KeyComparison) => string;
}

/** The condition, for `rowsQuery`, that the key is one of a list. */
export function keyIsAmong({ key }: ResolvedOptions, { keyComparison }: Shape, { texts, values }: KeyList): string {
  return keyComparison === undefined
    ? `r.${quoted(key)}::text = any(${texts})`
    : `q.${quoted(key)} = any(${values(keyComparison)})`;
}

/** The rows as they are read everywhere. `q` is the SELECT as it is, `r` its row ready for JSON. */
export function rowsQuery(options: ResolvedOptions, shape: Shape, condition?: string): string {
  const { select, key, grouped, orderBy, presentWhen } = options;
  const columns = shape.columns.map(({ name, sql }) => `${sql(`q.${quoted(name)}`)} as ${quoted(name)}`);
  const row = 'row_to_json(r.*)::text';
  const item = presentWhen === undefined ? row : `case when q.${quoted(presentWhen)} is null then null else ${row} end`;
  const order = orderBy.map((column, index) => `q.${quoted(column)} as o${index}`);
  const conditions = [...settingsOf(shape), ...(condition === undefined ? [] : [condition])];
  const rows = `select ${[`${shape.keySql ?? `r.${quoted(key)}::text`} as k`, `${item} as t`, ...order].join(', ')}
from (
${select}
) as q cross join lateral (select ${columns.join(', ')}) as r${conditions.length > 0 ? `\nwhere ${conditions.join(' and ')}` : ''}`;
  if (!grouped) return rows;
  // By the key's text and not by its type: rows whose keys are equal but not the same (citext) would mix.
  const by = ['k collate "C"', ...order.map((_, index) => `o${index}`), 't collate "C"'];
  return `select k, t from (\n${rows}\n) as s order by ${by.join(', ')}`;
}

/**
 * Conditions that set what the columns have to be written with. Before the first row is read: the settings last until the
 * end of the transaction, which may be this statement's.
 */
export function settingsOf({ settings }: Pick<Shape, 'settings'>): string[] {
  return settings.map((name) => `(select set_config('${name}', '${OUTPUT_SETTINGS[name]}', true)) <> ''`);
}

/** SQL of the columns of a table's primary key, as JSON, or null. `table`: SQL of its oid. */
export function primaryKeySql(table: string): string {
  return `(select json_agg(a.attname order by k.place) from pg_catalog.pg_index as i
      cross join unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
      join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = ${table} and i.indisprimary and k.place <= i.indnkeyatts)`;
}

/** SQL of a key: of one column its text, of several their texts as JSON.stringify writes them. As in the change log. */
export function keyText(columns: readonly string[]): string {
  const texts = columns.map((column) => `${column}::text`);
  if (texts.length === 1) return texts[0]!;
  return `'[' || ${texts.map((text) => `to_json(${text})::text`).join(` || ',' || `)} || ']'`;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text, also for a session that takes backslashes for escapes. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** An array in PostgreSQL's own notation: the clients differ in how they write one. */
export function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
