/** The options of a source: checked once, then a frozen object without gaps. */
import { type PostgresClient, toDatabase } from './clients.ts';
import type { Database, QueryParameter } from './database.ts';
import { describe } from './describe.ts';
import {
  type FollowBy,
  type FollowedTable,
  type FollowOptions,
  resolveFollow,
  resolveFollowBy,
} from './following/follow-options.ts';
import { type FullLoads, type FullLoadsOptions, resolveFullLoads } from './full-loads.ts';
import { type ResolvedPush, resolvePush } from './push/push-options.ts';

/** What a column holds after JSON: see the table of types in the README. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

/** One row of the SELECT: its columns by name, in their order. */
export type PostgresRow = { [column: string]: JsonValue };

interface CommonOptions<Item> {
  /** A `pg` Pool, a postgres.js client or a PGlite instance. Sources with the same client share one breaker. */
  readonly client: PostgresClient;
  /** The SELECT. May join, aggregate, use `$1`, `$2`, ... for `params`. */
  readonly select: string;
  /** Values for `$1`, `$2`, ... of the SELECT. @default none */
  readonly params?: readonly QueryParameter[];
  /** Column of the result that holds the key; never null. Its text is the key, compared character by character. */
  readonly key: string;
  /**
   * Pure function from a row to what the cache holds. It must not throw and must not return `undefined`: either fails
   * the whole read, for all its rows. What can be wrong belongs into the cache's `schema`, where one bad row costs one
   * row. @default the row as it is
   */
  readonly map?: (row: PostgresRow) => Item;
  /** How many instances may read everything at once. @default as many as want to */
  readonly fullLoads?: FullLoadsOptions;
}

/** Options for one value per key. */
export interface SingleRowOptions<Item> extends CommonOptions<Item> {
  /** One row per key; a second one is an error. */
  readonly rows?: 'single';
}

/** Options for a list per key. */
export interface GroupedRowsOptions<Item> extends CommonOptions<Item> {
  /** All rows of a key, as a list. */
  readonly rows: 'grouped';
  /**
   * Columns that order the list, as `ORDER BY` would. Rows that tie are ordered by their own text, so that the order
   * never depends on the plan. @default none
   */
  readonly orderBy?: readonly string[];
  /**
   * Column that is null in a row which only says that the key exists: with `agents LEFT JOIN tools` and the tool's id
   * here, an agent without tools has the empty list. @default every row is an item
   */
  readonly presentWhen?: string;
}

/** The options checked, the client recognised. */
export interface ResolvedOptions {
  readonly client: PostgresClient;
  readonly database: Database;
  readonly select: string;
  readonly params: readonly QueryParameter[];
  readonly key: string;
  readonly grouped: boolean;
  readonly orderBy: readonly string[];
  readonly presentWhen: string | undefined;
  readonly map: ((row: PostgresRow) => unknown) | undefined;
  /** `undefined`: every refresh reads the whole SELECT. */
  readonly follow: readonly FollowedTable[] | undefined;
  readonly followBy: FollowBy;
  /** `undefined`: it is off. */
  readonly push: ResolvedPush | undefined;
  /** `undefined`: nobody is asked. */
  readonly fullLoads: FullLoads | undefined;
}

const KNOWN_OPTIONS = [
  'client',
  'select',
  'params',
  'key',
  'rows',
  'orderBy',
  'presentWhen',
  'map',
  'follow',
  'followBy',
  'push',
  'fullLoads',
] as const;

/** Checks the options and fills the gaps; what is wrong throws one TypeError: option, expected, got. */
export function resolveOptions(
  options: (SingleRowOptions<unknown> | GroupedRowsOptions<unknown>) & Partial<FollowOptions>,
): ResolvedOptions {
  if (typeof options !== 'object' || options === null) fail('options', 'an object', options);
  for (const name of Object.keys(options)) {
    if (!(KNOWN_OPTIONS as readonly string[]).includes(name)) {
      throw new TypeError(`postgresSource: unknown option "${name}"; expected one of ${KNOWN_OPTIONS.join(', ')}`);
    }
  }
  const { client, rows = 'single', map, params = [], follow, push = 'off' } = options;
  const { orderBy = [], presentWhen } = options as Partial<GroupedRowsOptions<unknown>>;
  const database = toDatabase(client);
  if (database === undefined) fail('client', 'a pg Pool, a postgres.js client or a PGlite instance', client);
  if (rows !== 'single' && rows !== 'grouped') fail('rows', "'single' or 'grouped'", rows);
  // The type, never the value: parameters may be secrets.
  if (!Array.isArray(params))
    failWith('params', 'an array of strings, numbers, booleans and nulls', `a value of type ${typeof params}`);
  params.forEach((value: unknown, index) => {
    const bindable = value === null || ['string', 'number', 'boolean'].includes(typeof value);
    if (!bindable) failWith(`params[${index}]`, 'a string, number, boolean or null', `a value of type ${typeof value}`);
  });
  if (!Array.isArray(orderBy)) fail('orderBy', 'an array of column names', orderBy);
  orderBy.forEach((column, index) => {
    columnName(`orderBy[${index}]`, column);
  });
  if (presentWhen !== undefined) columnName('presentWhen', presentWhen);
  if (rows === 'single' && (orderBy.length > 0 || presentWhen !== undefined)) {
    fail(orderBy.length > 0 ? 'orderBy' : 'presentWhen', "nothing without rows: 'grouped'", orderBy[0] ?? presentWhen);
  }
  const resolvedPush = resolvePush(push, client, fail);
  if (resolvedPush !== undefined && follow === undefined) fail('push', 'nothing without follow', push);
  const followBy = resolveFollowBy(options.followBy ?? 'log', resolvedPush !== undefined, fail);
  if (followBy === 'xmin') checkXmin(follow, rows);
  if (map !== undefined && typeof map !== 'function') fail('map', 'a function', map);
  return Object.freeze({
    client,
    database,
    select: selectText(options.select),
    params: [...params],
    key: columnName('key', options.key),
    grouped: rows === 'grouped',
    orderBy: [...orderBy],
    presentWhen,
    map,
    follow: follow === undefined ? undefined : resolveFollow(follow, fail),
    followBy,
    push: resolvedPush,
    fullLoads: resolveFullLoads(options.fullLoads, fail),
  });
}

/** Of rows that are gone nothing is known but their keys, so these have to be the keys of the cache. */
function checkXmin(follow: FollowOptions['follow'] | undefined, rows: string): void {
  if (follow === undefined) fail('followBy', 'nothing without follow', 'xmin');
  if (rows !== 'single') fail('rows', "'single' with followBy: 'xmin'", rows);
  const ways = Object.values(follow ?? {});
  if (ways.length !== 1)
    failWith('follow', "one table with followBy: 'xmin'; for several: postgresMirror", `${ways.length}`);
  if (ways[0] !== 'key') fail('follow', "'key' with followBy: 'xmin'; for joins: postgresMirror", ways[0]);
}

/** The SELECT without the semicolon that ends it in a script. */
function selectText(select: unknown): string {
  if (typeof select !== 'string' || select.trim() === '') fail('select', 'the text of a SELECT', select);
  return select.replace(/[\s;]+$/, '');
}

function columnName(option: string, name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.includes('\0')) fail(option, 'the name of a column', name);
  return name;
}

function fail(option: string, expected: string, got: unknown): never {
  failWith(option, expected, describeObject(got));
}

function failWith(option: string, expected: string, got: string): never {
  throw new TypeError(`postgresSource: option "${option}": expected ${expected}, got ${got}`);
}

/** With the class of what was taken for a client. */
function describeObject(value: unknown): string {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const maker = isObject ? value.constructor?.name : undefined;
  return maker === undefined || maker === 'Object' ? describe(value) : `an instance of ${maker}`;
}
