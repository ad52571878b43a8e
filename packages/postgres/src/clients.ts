/**
 * The clients this package works with, by the shape of what is used of them: no client is imported, not even its
 * types. A type test checks that the real ones fit.
 */
import type { Database } from './database.ts';
import { pgDatabase } from './pg-database.ts';
import { pgliteDatabase } from './pglite-database.ts';
import { postgresJsDatabase } from './postgres-js-database.ts';

/** A `Pool` of `pg`, or of anything that keeps to its face. */
export interface PgPool {
  readonly totalCount: number;
  connect(callback: (error: Error | undefined, client: PgClient | undefined) => void): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  listenerCount(event: 'error'): number;
}

/** What a `PgPool` lends. */
export interface PgClient {
  query(config: PgQuery): Promise<PgResult>;
  release(destroy?: boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PgQuery {
  name?: string;
  text: string;
  values: (string | number | boolean | null)[];
  rowMode: 'array';
  types: { getTypeParser: () => (value: string) => string };
}

export interface PgResult {
  rows: unknown[][];
  /** The native bindings know no tables. */
  fields: { dataTypeID: number; tableID?: number; columnID?: number }[];
}

/** A client of `postgres` (postgres.js): what `postgres(url)` returns. */
export interface PostgresJsClient {
  begin<T>(options: string, work: (transaction: PostgresJsTransaction) => Promise<T>): Promise<unknown>;
  readonly options: { readonly transform: { readonly row: { readonly from?: unknown } } };
}

export interface PostgresJsTransaction {
  unsafe(
    query: string,
    parameters: (string | number | boolean | null)[],
    options: { prepare: boolean },
  ): { raw(): PostgresJsQuery };
}

export interface PostgresJsQuery extends PromiseLike<PostgresJsResult> {
  cancel(): unknown;
  /** What `cancel` calls, once: resolves when the server has taken note. `cancel` itself keeps that promise to itself. */
  readonly canceller?: ((query: this) => Promise<unknown>) | null;
}

export type PostgresJsResult = unknown[][] & { readonly columns?: readonly PostgresJsColumn[] | undefined };

export interface PostgresJsColumn {
  readonly type: number;
  readonly table: number;
  readonly number: number;
}

/** A `PGlite` instance. */
export interface PGliteClient extends PGliteQueryable {
  transaction<T>(work: (transaction: PGliteQueryable) => Promise<T>): Promise<T | undefined>;
  readonly waitReady: Promise<void>;
}

export interface PGliteQueryable {
  query(
    query: string,
    parameters: (string | number | boolean | null)[],
    options: { rowMode: 'array'; parsers: Record<number, (value: string) => string> },
  ): Promise<{ rows: unknown[]; fields: { dataTypeID: number }[] }>;
}

/** A `pg` Pool, a postgres.js client or a PGlite instance. */
export type PostgresClient = PgPool | PostgresJsClient | PGliteClient;

/** Recognises the client; `undefined`: it is none of them. */
export function toDatabase(client: PostgresClient): Database | undefined {
  if (client === null || (typeof client !== 'object' && typeof client !== 'function')) return undefined;
  if ('totalCount' in client && typeof client.connect === 'function') return pgDatabase(client);
  if (typeof client === 'function' && 'begin' in client) return postgresJsDatabase(client);
  if ('waitReady' in client && typeof client.transaction === 'function') return pgliteDatabase(client);
  return undefined;
}
