/** One look at the change log from a position, and at the rows it touches. */
import type { Answer, Statement } from '../database.ts';
import { literal } from '../statements.ts';
import {
  allTouched,
  answerText,
  columnsSql,
  MOST_KEYS,
  parametersOf,
  tableColumnsSql,
  taggedKey,
  valuesOf,
} from './answer.ts';
import { type Position, xminOf } from './cursor.ts';
import type { TouchedKeys } from './follow-options.ts';
import { incarnationSql } from './incarnation.ts';
import { subscribedSql } from './installation.ts';
import type { Reader } from './reader.ts';

/** What is asked, and of whom. */
export interface GlanceRequest {
  /** The same array again means: the same statement. */
  readonly readers: readonly Reader[];
  /** The names of the followed tables as the log has them, in the order in which the readers name them. */
  readonly tables: readonly string[];
  /** `undefined`: only where we are. */
  readonly since: Position | undefined;
}

/** Asked from a position. */
export interface DeltaRequest extends GlanceRequest {
  readonly since: Position;
}

export interface Glance {
  readonly snapshot: string;
  readonly incarnation: string;
  readonly standby: boolean;
  /** The log holds everything from this transaction on. */
  readonly floor: string;
  /** How the tables are followed, and the columns of what is read. */
  readonly setup: string;
  /** Transactions from the snapshot's xmin on that are visible. */
  readonly doneXids: readonly string[];
  /** Something happened to a whole table. */
  readonly marked: boolean;
  readonly touched: number;
  /** The keys that are touched; none where they are more than `MOST_KEYS`. */
  readonly keys: readonly string[];
}

/** The text for each set of readers: it is long, and the same at every delta. */
const texts = new WeakMap<readonly Reader[], string>();

export function glanceStatement(request: GlanceRequest): Statement {
  const { readers } = request;
  const text = texts.get(readers) ?? answerText({ readers, touched: withTouched(request), head: headSql(request) });
  texts.set(readers, text);
  return { text, values: askedOf(request), repeats: true };
}

/** All keys that are touched, however many. */
export function touchedStatement(request: GlanceRequest): Statement {
  return allTouched(request.readers, withTouched(request), askedOf(request));
}

export function toGlance({ rows }: Answer): Glance {
  const head = JSON.parse(rows[0]![1]!) as [
    string,
    string,
    boolean,
    string,
    unknown,
    string[],
    boolean,
    number,
    string[],
  ];
  const [snapshot, incarnation, standby, floor, setup, doneXids, marked, touched, keys] = head;
  return { snapshot, incarnation, standby, floor, setup: JSON.stringify(setup), doneXids, marked, touched, keys };
}

function askedOf({ readers, since, tables }: GlanceRequest): Statement['values'] {
  const position = since && { xmin: xminOf(since.snapshot), doneXids: since.doneXids };
  return valuesOf({ readers, since: position, tables });
}

/**
 * The window of the log from xmin on, the changes in it whose transactions are not yet done, and the keys they touch.
 * The planner takes the window for small, so nothing here may join: by a nested loop, a window that a long transaction
 * has kept open would cost its square. The upper bound bounds nothing, and is why a prepared statement uses the index.
 */
function withTouched(request: GlanceRequest): string {
  const { since, done, tables } = parametersOf(request.readers, 'xid8');
  const followed = request.readers.flatMap(({ follow }, reader) => follow.map(({ keys }) => ({ reader, keys })));
  const keys = followed.map(
    ({ reader, keys }, index) =>
      `select ${reader} as reader, k from (${touchedSql(keys, `(${tables})[${index + 1}]`)}) as touched_${index}`,
  );
  return `with evercache_logged as materialized (
select xid, xid::text || ':' || count(*) over (partition by xid)::text as id, tbl, key, columns, op
from evercache.change_log
where xid >= coalesce(${since}, pg_snapshot_xmin(pg_current_snapshot())) and xid <= '18446744073709551615'::xid8
  and tbl = any(${tables})
), evercache_news as materialized (
select distinct tbl, key collate "C" as key, columns, op from evercache_logged
where ${since} is not null and id not in (select unnest(${done}))
), evercache_touched as materialized (
select distinct reader, k from (
${keys.join('\nunion all\n')}
) as keys where k is not null
)`;
}

function touchedSql(keys: TouchedKeys, table: string): string {
  if (keys === 'key') return `select key as k from evercache_news where tbl = ${table}`;
  if ('column' in keys) {
    return `select (columns ->> ${literal(keys.column)}) collate "C" as k from evercache_news where tbl = ${table}`;
  }
  // By way of JSON only because of what the planner makes of it: about a hundred rows, where it would expect one and walk
  // through the user's tables once for each.
  return `select * from (
with changed as materialized (select * from jsonb_to_recordset((
  select jsonb_agg(jsonb_build_object('key', key, 'columns', columns)) from evercache_news
  where tbl = ${table} and key is not null)) as changed(key text, columns jsonb))
select q.k::text collate "C" as k from (
${keys.sql}
) as q(k) where exists (select from changed)
) as looked_up`;
}

/**
 * The name of meta's file says which database this is, and which installation. That of the log's file tells of a TRUNCATE,
 * as of the snapshot and as of now: who has waited for it with a snapshot from before sees an empty log. A trigger's own
 * xmin changes also when it was off for a while. By way of inheritance and of a subscription a table is written to past its
 * triggers.
 */
function headSql(request: GlanceRequest): string {
  const { tables } = parametersOf(request.readers, 'xid8');
  return `(select json_build_array(
pg_current_snapshot()::text,
${incarnationSql(`pg_relation_filepath('evercache.meta')`)},
pg_is_in_recovery(),
m.floor::text,
json_build_array(m.version, m.installed_at,
  (select concat_ws(' ', c.relfilenode, pg_relation_filepath(c.oid)) from pg_catalog.pg_class as c
    where c.oid = 'evercache.change_log'::regclass),
  (select json_agg(json_build_array(f.name, f.id, pg_relation_filepath(f.id), (
      select string_agg(concat_ws(' ', g.tgname, g.tgenabled, g.tgfoid, g.xmin), ', ' order by g.tgname)
      from pg_catalog.pg_trigger as g where g.tgrelid = f.id and not g.tgisinternal),
      (select c.relhassubclass from pg_catalog.pg_class as c where c.oid = f.id),
      exists (select from pg_catalog.pg_inherits where inhrelid = f.id),
      ${subscribedSql('f.id')}))
    from (select n.name, to_regclass(n.name)::oid as id from unnest(${tables}) as n(name)) as f),
  ${tableColumnsSql(request.readers)},
  ${columnsSql(request.readers)}),
(select coalesce(json_agg(distinct id), '[]') from evercache_logged where xid >= pg_snapshot_xmin(pg_current_snapshot())),
exists (select from evercache_news where op = 'R'),
(select count(*) from evercache_touched),
case when (select count(*) from evercache_touched) <= ${MOST_KEYS} then (select coalesce(json_agg(${taggedKey(request.readers)}), '[]') from evercache_touched) else '[]' end
)::text from evercache.meta as m)`;
}
