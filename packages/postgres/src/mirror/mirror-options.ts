/** The options of a mirror and of its views: checked once; what is wrong throws one TypeError: option, expected, got. */
import type { OptionsWithoutSchema, Source, StandardSchema } from 'evercache';
import { type PostgresClient, toDatabase } from '../clients.ts';
import type { Database } from '../database.ts';
import { describe } from '../describe.ts';
import { type FollowBy, resolveFollowBy } from '../following/follow-options.ts';
import { type FullLoads, type FullLoadsOptions, resolveFullLoads } from '../full-loads.ts';
import type { PostgresRow } from '../options.ts';
import { type PushMode, type PushSettings, type ResolvedPush, resolvePush } from '../push/push-options.ts';

/** One table of a mirror. */
export interface MirrorTableOptions<Row = unknown> {
  /** The table, named as in SQL: `public.tools`. A view will do where nothing is followed; give it a `key`. */
  readonly table: string;
  /** The column that holds the key, or several. @default the primary key */
  readonly key?: string | readonly string[];
  /** The columns that are read; the key is read in any case. @default all */
  readonly columns?: readonly string[];
  /** Which rows, as after WHERE, of this table's columns alone: `not is_deleted`. @default all */
  readonly where?: string;
  /** Pure function from a row to what is held. It must not throw and must not return `undefined`. @default the row */
  readonly map?: (row: PostgresRow) => Row;
  /** Checks every row, as zod, valibot and others can: one that fails is quarantined. @default none */
  readonly schema?: StandardSchema<Row>;
  /** Properties of the rows by whose values they can be found: `read.agentTools.by('agent_id', id)`. @default none */
  readonly indexes?: readonly string[];
}

/** The tables of a mirror, by the names that code gives them. */
export type MirrorTables = Readonly<Record<string, MirrorTableOptions>>;

/** What a row of a table is in memory. */
export type RowOf<Table> = Table extends { readonly schema: StandardSchema<infer Row> }
  ? Row
  : Table extends { readonly map: (row: PostgresRow) => infer Row }
    ? Row
    : PostgresRow;

/** The options of `TTLCacheService` hold for the mirror as a whole. */
export interface MirrorOptions<Tables extends MirrorTables>
  extends Omit<OptionsWithoutSchema<unknown>, 'source' | 'schema' | 'maxEntries' | 'freeze'> {
  /** A `pg` Pool, a postgres.js client or a PGlite instance. Sources with the same client share one breaker. */
  readonly client: PostgresClient;
  readonly tables: Tables;
  /** By what changes are found, `'log'` or `'xmin'`: see `FollowOptions.followBy`. @default 'log' */
  readonly followBy?: FollowBy;
  /** Whether a change is told as it happens: see `FollowOptions.push`. @default 'off' */
  readonly push?: PushMode | PushSettings;
  /** How many instances may read everything at once. @default as many as want to */
  readonly fullLoads?: FullLoadsOptions;
  /** Puts a policy around the source of all rows: `(source) => onDisk(source, { path })`. @default none */
  readonly policy?: (source: Source<unknown>) => Source<unknown>;
}

/** One table, its options checked. */
export interface ResolvedTable {
  readonly name: string;
  /** Stands before its keys, in a set that holds all tables. */
  readonly tag: string;
  readonly table: string;
  /** `undefined`: the primary key. */
  readonly key: readonly string[] | undefined;
  /** `undefined`: all. */
  readonly columns: readonly string[] | undefined;
  readonly where: string | undefined;
  readonly map: ((row: PostgresRow) => unknown) | undefined;
  readonly schema: StandardSchema<unknown> | undefined;
  readonly indexes: readonly string[];
}

export interface ResolvedMirror {
  readonly client: PostgresClient;
  readonly database: Database;
  readonly tables: readonly ResolvedTable[];
  readonly followBy: FollowBy;
  /** `undefined`: it is off. */
  readonly push: ResolvedPush | undefined;
  readonly fullLoads: FullLoads | undefined;
  readonly policy: MirrorOptions<MirrorTables>['policy'];
}

const KNOWN_IN_TABLE = ['table', 'key', 'columns', 'where', 'map', 'schema', 'indexes'] as const;

/** Stands between a table's name and a key. Names do not hold it, so no two rows share a key. */
const TAG_END = ':';

/** The table of a key, as its tag; keys that are of none have none. */
export function tagOf(key: string): string {
  return key.slice(0, key.indexOf(TAG_END) + 1);
}

export function resolveMirror({
  client,
  tables,
  followBy = 'log',
  push = 'off',
  fullLoads,
  policy,
}: Pick<
  MirrorOptions<MirrorTables>,
  'client' | 'tables' | 'followBy' | 'push' | 'fullLoads' | 'policy'
>): ResolvedMirror {
  const database = toDatabase(client);
  if (database === undefined) fail('client', 'a pg Pool, a postgres.js client or a PGlite instance', client);
  if (typeof tables !== 'object' || tables === null || Array.isArray(tables)) fail('tables', 'an object', tables);
  if (policy !== undefined && typeof policy !== 'function') fail('policy', 'a function', policy);
  const resolved = Object.entries(tables).map(([name, table]) => resolveTable(name, table));
  if (resolved.length === 0) fail('tables', 'at least one table', tables);
  const resolvedPush = resolvePush(push, client, fail);
  return {
    client,
    database,
    tables: resolved,
    followBy: resolveFollowBy(followBy, resolvedPush !== undefined, fail),
    push: resolvedPush,
    fullLoads: resolveFullLoads(fullLoads, fail),
    policy,
  };
}

function resolveTable(name: string, options: MirrorTableOptions): ResolvedTable {
  // It becomes part of keys and of SQL.
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) fail('tables', 'names of letters, digits and underscores', name);
  const option = `tables.${name}`;
  if (typeof options !== 'object' || options === null) fail(option, 'an object', options);
  for (const known of Object.keys(options)) {
    if (!(KNOWN_IN_TABLE as readonly string[]).includes(known)) {
      throw new TypeError(
        `postgresMirror: unknown option "${option}.${known}"; expected one of ${KNOWN_IN_TABLE.join(', ')}`,
      );
    }
  }
  const { table, key, columns, where, map, schema, indexes = [] } = options;
  if (!isText(table)) fail(`${option}.table`, 'the name of a table', table);
  const keys = typeof key === 'string' ? [key] : key;
  if (keys !== undefined) names(`${option}.key`, keys);
  if (keys?.length === 0) fail(`${option}.key`, 'at least one column', key);
  if (columns !== undefined) names(`${option}.columns`, columns);
  if (where !== undefined && !isText(where)) fail(`${option}.where`, 'a condition in SQL', where);
  if (map !== undefined && typeof map !== 'function') fail(`${option}.map`, 'a function', map);
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    fail(`${option}.schema`, 'a Standard Schema (zod, valibot, ...)', schema);
  }
  names(`${option}.indexes`, indexes);
  return {
    name,
    tag: `${name}${TAG_END}`,
    table,
    key: keys,
    columns,
    where,
    map,
    schema,
    indexes: [...new Set(indexes)],
  };
}

function names(option: string, given: unknown): void {
  if (!Array.isArray(given)) fail(option, 'an array of names', given);
  const wrong = given.find((name) => !isText(name));
  if (given.some((name) => !isText(name))) fail(option, 'an array of names', wrong);
}

function isText(text: unknown): text is string {
  return typeof text === 'string' && text.trim() !== '' && !text.includes('\0');
}

export function fail(option: string, expected: string, got: unknown, where = 'postgresMirror'): never {
  throw new TypeError(`${where}: option "${option}": expected ${expected}, got ${describe(got)}`);
}
