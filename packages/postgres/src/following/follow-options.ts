/** The option `follow`: which keys of the cache a changed row of which table touches. */
import type { PushMode, PushSettings } from '../push/push-options.ts';

/** How the keys are found. */
export type TouchedKeys =
  /**
   * The primary key of the changed row is the cache's key, under whatever name the SELECT has it; of several columns it is
   * the text `["a","7"]`, which the SELECT makes. Where the two are known to differ, or may differ by their types, everything
   * is read each time, and `status().source.reason` says why. A key that is computed, that comes from a view or a UNION, or
   * is read by PGlite is told by its type alone: that it is the primary key is up to you.
   */
  | 'key'
  /**
   * This column of the changed row, as it was and as it is, is the cache's key. It has to be logged, and of a type that the
   * log writes as the key is read: else everything is read each time.
   */
  | { readonly column: string }
  /**
   * A SELECT of one column, the cache's keys, from the relation `changed` (`key text, columns jsonb`): the primary keys
   * and logged columns of the changed rows, as the log writes them. Its texts have to be those of the cache's keys,
   * character by character: nothing checks that. Runs in the same snapshot as everything else.
   */
  | { readonly sql: string };

/** By what changes are found. */
export type FollowBy = 'log' | 'xmin';

/** What a following source needs beside the SELECT. */
export interface FollowOptions {
  /**
   * The tables whose changes are followed, all of those the SELECT reads, named as in SQL. The change log has to be
   * installed for each; until it is, every refresh reads the whole SELECT.
   *
   * ```ts
   * follow: {
   *   agent_tools: { column: 'agent_id' },
   *   tools: { sql: 'select agent_id from agent_tools join changed on tool_id = changed.key::int' },
   * }
   * ```
   */
  readonly follow: { readonly [table: string]: TouchedKeys };
  /**
   * By what changes are found. `'log'`: the change log, exact and cheap. `'xmin'`: the transaction ids that PostgreSQL keeps
   * with each row, where no triggers may be installed or are bypassed; every refresh scans the table at the server. Takes
   * one table, by `'key'`, and `rows: 'single'`.
   * @default 'log'
   */
  readonly followBy?: FollowBy;
  /**
   * Whether a change is told as it happens. `'leader'`: one of all instances looks at the change log each 50 ms and rings
   * for all, over a connection of its own; a ring starts a refresh. The timer goes on in any case.
   * @default 'off'
   */
  readonly push?: PushMode | PushSettings;
}

/** One table of `follow`. */
export interface FollowedTable {
  /** As the option names it. */
  readonly name: string;
  readonly keys: TouchedKeys;
}

type Fail = (option: string, expected: string, got: unknown) => never;

/** Checks the option; `fail` throws. `hasPush`: somebody wants to be told as it happens. */
export function resolveFollowBy(followBy: unknown, hasPush: boolean, fail: Fail): FollowBy {
  if (followBy !== 'log' && followBy !== 'xmin') fail('followBy', "'log' or 'xmin'", followBy);
  if (followBy === 'xmin' && hasPush)
    fail('push', "'off' with followBy: 'xmin', since only the log can be watched", 'leader');
  return followBy;
}

const EXPECTED = "'key', { column } or { sql }";

/** Checks the option; `fail` throws. */
export function resolveFollow(follow: unknown, fail: Fail): readonly FollowedTable[] {
  if (typeof follow !== 'object' || follow === null || Array.isArray(follow)) {
    fail('follow', 'an object of tables', follow);
  }
  const tables = Object.entries(follow).map(([name, keys]: [string, unknown]): FollowedTable => {
    const option = `follow[${JSON.stringify(name)}]`;
    if (name.trim() === '' || name.includes('\0')) fail('follow', 'the names of tables', name);
    if (keys === 'key') return { name, keys };
    if (typeof keys !== 'object' || keys === null) fail(option, EXPECTED, keys);
    const [way, ...others] = Object.keys(keys);
    if ((way !== 'column' && way !== 'sql') || others.length > 0) fail(option, EXPECTED, keys);
    const text: unknown = (keys as Record<string, unknown>)[way];
    const expected = way === 'sql' ? 'the text of a SELECT' : 'the name of a column';
    if (typeof text !== 'string' || text.trim() === '' || text.includes('\0')) fail(`${option}.${way}`, expected, text);
    return { name, keys: way === 'sql' ? { sql: text.replace(/[\s;]+$/, '') } : { column: text } };
  });
  if (tables.length === 0) fail('follow', 'at least one table', follow);
  return tables;
}
