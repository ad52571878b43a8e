/** The SQL that installs and removes the change log, as text: it is printed before it is run. */
import { readFileSync } from 'node:fs';
import { literal } from '../statements.ts';
import type { FollowedTable } from './table-list.ts';

/** The same distance from the sources and from what is built of them. */
const SQL_FILE = new URL('../../sql/change-log-1.sql', import.meta.url);

/** Installs the log or mends it, and follows the tables; `reader` may read the log and prune it afterwards. */
export function installScript(tables: readonly FollowedTable[], reader?: string): string {
  return transaction([
    readFileSync(SQL_FILE, 'utf8').trim(),
    '',
    // Whoever wants to write queues up behind us while we wait.
    "set local lock_timeout = '10s';",
    ...tables.map(
      ({ name, columns }) => `select evercache.follow(${[literal(name), ...columnList(columns)].join(', ')});`,
    ),
    ...(reader === undefined ? [] : readerRights(identifier(reader))),
  ]);
}

/** Ends the following of these tables. */
export function unfollowScript(tables: readonly FollowedTable[]): string {
  return transaction([
    "set local lock_timeout = '10s';",
    ...tables.map(({ name }) => `select evercache.unfollow(${literal(name)});`),
  ]);
}

/** Removes everything: the triggers go with their functions. */
export function uninstallScript(): string {
  return transaction([
    "select pg_advisory_xact_lock(hashtextextended('evercache.install', 0));",
    "set local lock_timeout = '10s';",
    'drop schema if exists evercache cascade;',
  ]);
}

function readerRights(role: string): string[] {
  return [
    `grant usage on schema evercache to ${role};`,
    `grant select on evercache.meta, evercache.change_log, evercache.tables to ${role};`,
    `grant execute on function evercache.prune(interval), evercache.problems() to ${role};`,
  ];
}

/** One that waited for another installation has to see what that one did. */
function transaction(lines: readonly string[]): string {
  return ['begin transaction isolation level read committed;', ...lines, 'commit;', ''].join('\n');
}

function columnList(columns: readonly string[]): string[] {
  return columns.length === 0 ? [] : [`array[${columns.map(literal).join(', ')}]`];
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
