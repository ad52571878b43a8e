/** PostgreSQL as a source: which options make which. */
import type { Cursor, Delta, FetchContext, Snapshot, Source } from 'evercache';
import type { FollowOptions } from './following/follow-options.ts';
import { FollowingSource } from './following-source.ts';
import { type GroupedRowsOptions, type PostgresRow, resolveOptions, type SingleRowOptions } from './options.ts';
import { SnapshotSource } from './snapshot-source.ts';

/** A source for `TTLCacheService`. All methods reject with a `PostgresError`, or with the signal's reason. */
export interface PostgresSource<T> extends Source<T> {
  /** Every key, as of one moment. Nothing is asked before the first row is read; a reader may stop at any row. */
  fetchAll(context: FetchContext): Promise<AsyncIterable<readonly [string, T]>>;
  /** One key; `undefined`: there is no row whose key has exactly this text. */
  fetchOne(key: string, context: FetchContext): Promise<T | undefined>;
  /** Several keys by one statement. */
  fetchMany(keys: readonly string[], context: FetchContext): Promise<ReadonlyMap<string, T>>;
  /** The client. */
  readonly breakerKey: unknown;
  /** Which tier runs, over which client, and what it cannot see. */
  status(): Record<string, unknown>;
}

/** A snapshot, and the position where its changes go on; none while the change log cannot be followed. */
export interface PostgresSnapshot<T> extends Snapshot<T> {
  readonly entries: AsyncIterable<readonly [string, T]>;
}

/** A source with `follow`: a refresh reads what has changed since the last one. */
export interface FollowingPostgresSource<T> extends Omit<PostgresSource<T>, 'fetchAll'> {
  /** As in `PostgresSource`, with a position. */
  fetchAll(context: FetchContext): Promise<PostgresSnapshot<T>>;
  /** The rows of the keys that were touched since, as of one moment. */
  fetchChanges(since: Cursor, context: FetchContext): Promise<Delta<T> | 'resync'>;
}

/**
 * Makes a SELECT the source of a cache.
 *
 * ```ts
 * const tools = new TTLCacheService({
 *   name: 'tools',
 *   source: postgresSource({ client: pool, select: 'select id, name, settings from tools', key: 'id' }),
 * });
 * ```
 *
 * @throws TypeError for wrong options: option, expected, got.
 */
export function postgresSource<Item = PostgresRow>(
  options: GroupedRowsOptions<Item> & FollowOptions,
): FollowingPostgresSource<NoInfer<Item>[]>;
export function postgresSource<Item = PostgresRow>(
  options: SingleRowOptions<Item> & FollowOptions,
): FollowingPostgresSource<NoInfer<Item>>;
export function postgresSource<Item = PostgresRow>(options: GroupedRowsOptions<Item>): PostgresSource<NoInfer<Item>[]>;
export function postgresSource<Item = PostgresRow>(options: SingleRowOptions<Item>): PostgresSource<NoInfer<Item>>;
export function postgresSource(
  options: (SingleRowOptions<unknown> | GroupedRowsOptions<unknown>) & Partial<FollowOptions>,
): PostgresSource<unknown> | FollowingPostgresSource<unknown> {
  const resolved = resolveOptions(options);
  const { follow } = resolved;
  return follow === undefined ? new SnapshotSource(resolved) : new FollowingSource(resolved, follow);
}
