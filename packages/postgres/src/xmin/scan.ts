/**
 * One look at which rows were written since a position, by the transaction ids that PostgreSQL keeps with them (`xmin`),
 * and at which keys there are.
 *
 * Whatever the snapshot of the last look did not see was written by a transaction that was running then or has begun since,
 * so its rows bear an id of at least that snapshot's xmin: also where it is a sub-transaction's, which is greater than
 * that of the transaction around it. And below the xmax of this look lies all that this look can see. In between lie the
 * rows that were written, and none that were only locked; and now and then a row with the same 32 bits from four billion
 * transactions ago, which is read once more and found to be as it was.
 *
 * Of these ids those that were visible at the last look are done: all rows of a transaction become visible together. That
 * holds as long as an id means one transaction. Once ids are given out a second time, an old row could pass for one that
 * a transaction still under way has written, and so hide the others it will have: from then on none are done, and what
 * was written while a transaction stays open is read again at each look.
 */
import type { Answer, Statement } from '../database.ts';
import {
  allTouched,
  answerText,
  columnsSql,
  MOST_KEYS,
  parametersOf,
  tableColumnsSql,
  taggedKey,
  valuesOf,
} from '../following/answer.ts';
import { xminOf } from '../following/cursor.ts';
import { incarnationSql } from '../following/incarnation.ts';
import type { Reader } from '../following/reader.ts';
import { rowsQuery } from '../statements.ts';
import type { ScanPosition, Total } from './position.ts';
import type { ScannedTable } from './tables.ts';
import { onRows } from './xids.ts';

export interface ScanRequest {
  /** The same array again means: the same statement, as long as the tables are the same, too. */
  readonly readers: readonly Reader[];
  /** The table of each reader. */
  readonly tables: readonly ScannedTable[];
  /** `undefined`: only where we are. */
  readonly since: ScanPosition | undefined;
}

export interface Seen {
  readonly snapshot: string;
  readonly incarnation: string;
  /** Which tables these are, and the columns of what is read. */
  readonly setup: string;
  /** Ids from the snapshot's xmin on, as rows have them, that are visible. */
  readonly doneXids: readonly string[];
  readonly touched: number;
  /** The keys that are touched, with their hashes; none where they are more than `MOST_KEYS`. */
  readonly keys: readonly (readonly [key: string, hash: string])[];
  readonly total: Total;
}

const texts = new WeakMap<readonly Reader[], { readonly tables: readonly ScannedTable[]; readonly text: string }>();

export function scanStatement(request: ScanRequest): Statement {
  const { readers, tables } = request;
  const known = texts.get(readers);
  const text =
    known?.tables === tables
      ? known.text
      : answerText({ readers, touched: withTouched(request), head: headSql(request) });
  texts.set(readers, { tables, text });
  return { text, values: askedOf(request), repeats: true };
}

/** All keys that are touched, however many. */
export function touchedStatement(request: ScanRequest): Statement {
  return allTouched(request.readers, withTouched(request), askedOf(request));
}

/** All keys that there are. */
export function allKeysStatement({ readers }: ScanRequest): Statement {
  return { text: allKeys(readers), values: readers.flatMap(({ options }) => options.params) };
}

/** For each reader whether the first of its keys is one of the table's: `true`, `false`, or null where there is none. */
export function agreesStatement({ readers, tables }: ScanRequest): Statement {
  const agrees = readers.map(({ options, shape, tag }, reader) => {
    const { name, keySql, settings } = tables[reader]!;
    const isFirst = [`'${tag}' || ${keySql} = first.k`, ...settings].join(' and ');
    return `(select exists (select from ${name} as c where ${isFirst})::text
from (select k from (\n${rowsQuery(options, shape)}\n) as every_row limit 1) as first)`;
  });
  return { text: `select ${agrees.join(', ')}`, values: readers.flatMap(({ options }) => options.params) };
}

export function toSeen({ rows }: Answer): Seen {
  const head = JSON.parse(rows[0]![1]!) as [
    string,
    string,
    unknown,
    string[],
    number,
    [string, string][],
    number,
    string,
  ];
  const [snapshot, incarnation, setup, doneXids, touched, keys, count, hash] = head;
  return { snapshot, incarnation, setup: JSON.stringify(setup), doneXids, touched, keys, total: { count, hash } };
}

function askedOf({ readers, since, tables }: ScanRequest): Statement['values'] {
  const position = since && { xmin: onRows(xminOf(since.snapshot)), doneXids: since.doneXids };
  return valuesOf({ readers, since: position, tables: tables.map(({ name }) => name) });
}

const FIRST_OPEN = 'pg_snapshot_xmin(pg_current_snapshot())::xid';
const NOT_YET_SEEN = 'pg_snapshot_xmax(pg_current_snapshot())::xid';

/** Ages are distances on the circle of ids, so the greater age is the earlier id, also where the ids begin anew. */
function withTouched(request: ScanRequest): string {
  const { since, done } = parametersOf(request.readers, 'xid');
  const written = request.tables.map(
    ({ name, keySql, settings }, reader) => `select ${reader} as reader, ${keySql} collate "C" as k, c.xmin::text as id
from ${name} as c
where age(c.xmin) <= (select age(coalesce(${since}, ${FIRST_OPEN}))) and age(c.xmin) > (select age(${NOT_YET_SEEN}))${settings.map((setting) => ` and ${setting}`).join('')}`,
  );
  return `with evercache_written as materialized (
${written.join('\nunion all\n')}
), evercache_touched as materialized (
select distinct reader, k from evercache_written
where ${since} is not null and id not in (select unnest(${done})) and k is not null
)`;
}

function headSql(request: ScanRequest): string {
  const { tables } = parametersOf(request.readers, 'xid');
  const key = taggedKey(request.readers);
  return `(select json_build_array(
pg_current_snapshot()::text,
${incarnationSql('(select oid from pg_catalog.pg_database where datname = current_database())')},
json_build_array(
  (select json_agg(json_build_array(f.name, f.id, pg_relation_filepath(f.id)))
    from (select n.name, to_regclass(n.name)::oid as id from unnest(${tables}) as n(name)) as f),
  ${tableColumnsSql(request.readers)},
  ${columnsSql(request.readers)}),
case when pg_snapshot_xmax(pg_current_snapshot()) >= '4294967296'::xid8 then '[]'
  else (select coalesce(json_agg(distinct id), '[]') from evercache_written
    where age(id::xid) <= (select age(${FIRST_OPEN}))) end,
(select count(*) from evercache_touched),
case when (select count(*) from evercache_touched) > ${MOST_KEYS} then '[]'
  else (select coalesce(json_agg(json_build_array(${key}, ${hashOf(key)}::text)), '[]') from evercache_touched) end,
total.count, total.hash::text
)::text from (select count(*), coalesce(bit_xor(${hashOf('k')}), 0) as hash from (
${allKeys(request.readers)}
) as every_key) as total)`;
}

function hashOf(key: string): string {
  return `hashtextextended((${key}) collate "C", 0)`;
}

function allKeys(readers: readonly Reader[]): string {
  const keys = readers.map(
    ({ options, shape }, index) => `select k from (\n${rowsQuery(options, shape)}\n) as keys_${index}`,
  );
  return keys.join('\nunion all\n');
}
