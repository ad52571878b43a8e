/**
 * What the bell says to the server.
 *
 * News is what the snapshot of the last look did not see: transactions that were running then (its list), and those
 * that had yet to begin (from its xmax on). On a primary, the only place where a bell can be rung, that list is
 * complete; neither the largest id nor the largest number seen would do, since ids become visible in another order than
 * they are given out. However long a transaction stays open, both questions are small ones for the index.
 */

/** One for all: each database has its own. */
const CHANNEL = 'evercache';

const LOCK = `hashtextextended('evercache.push', 0)`;

/** What is seen, as the next look asks from it: `xmin:xmax:running,running`. */
type Snapshot = string;

/** The last: whether the log is a plain table. Of a view or a type of somebody else we would call functions. */
export const FACTS: string = `select pg_is_in_recovery()::text, pg_current_snapshot()::text, pg_backend_pid()::text,
  (select (c.relkind = 'r' and not c.relrowsecurity and exists (select from pg_attribute as a
      where a.attrelid = c.oid and a.attname = 'xid' and a.atttypid = 'pg_catalog.xid8'::regtype and a.attgenerated = ''))::text
    from pg_class as c where c.oid = to_regclass('evercache.change_log'))`;

export const LISTEN: string = `listen ${CHANNEL}`;

/** `$1`: the payload; a ring has none. */
export const NOTIFY: string = `select pg_notify('${CHANNEL}', $1)::text`;

/**
 * The server shall find out within half a minute that we are gone without a word, and give the lock to another; and an
 * index shall be used however small the log was when the statement was planned.
 */
export const SETTINGS: string = `select ${Object.entries({
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 20_000,
  enable_seqscan: 'off',
})
  .map(([name, value]) => `set_config('${name}', '${value}', false)`)
  .join(', ')}`;

/** Whether the session is the one that listens: what is between us and the server may have exchanged it. */
export const STILL_LISTENS: string = `select pg_backend_pid()::text,
  exists (select from pg_listening_channels() as l(channel) where l.channel = '${CHANNEL}')::text`;

export const TRY_TO_LEAD: string = `select pg_try_advisory_lock(${LOCK})::text`;

/** The position of who has just become the leader, and a ring for all that the last one did not ring for. */
export const BEGIN_TO_LEAD: string = `select pg_current_snapshot()::text, pg_notify('${CHANNEL}', '')::text`;

/** `$1`: the xmax of the last look, `$2`: what was running then. Rings where there is news. */
const LOOK = `select now::text, case when exists (
    select from evercache.change_log where xid >= $1::text::xid8 and xid < pg_snapshot_xmax(now)
  ) or exists (
    select from evercache.change_log where xid = any ($2::text::xid8[])
  ) then pg_notify('${CHANNEL}', '')::text end
from (select pg_current_snapshot() as now) as s`;

/**
 * A leader that has not looked for long (its process stands still, its machine is gone) holds the lock all the same. It
 * is sent away, as far as it is of the same role.
 */
export const SEND_AWAY: string = `select count(pg_terminate_backend(a.pid))::text
  from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid = (${LOCK} >> 32 & 4294967295)::oid and l.objid = (${LOCK} & 4294967295)::oid
    and a.usename = current_user and a.state_change < clock_timestamp() - $1::text::interval`;

export function lookSince(snapshot: Snapshot): { readonly text: string; readonly values: readonly string[] } {
  const [, xmax, running] = snapshot.split(':') as [string, string, string];
  return { text: LOOK, values: [xmax, `{${running}}`] };
}
