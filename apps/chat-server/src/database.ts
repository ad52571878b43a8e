/** What the rest of the server may ask of its database, whichever of the two it is. */
import type { PGlite } from '@electric-sql/pglite';
import type { Pool } from 'pg';
import { type Log, silentLog } from './log.ts';
import { openPGliteDatabase } from './pglite-database.ts';
import { openPostgresDatabase } from './postgres-database.ts';

export type Row = Record<string, unknown>;

export interface Queryable {
  /**
   * Runs one statement with bound parameters (`$1`, ...). JSON goes in as text (`JSON.stringify`).
   * @throws DatabaseUnavailable when the database cannot be asked; the driver's error when the statement is wrong.
   */
  query<R = Row>(text: string, parameters?: readonly unknown[]): Promise<R[]>;
}

export interface RestrictedOptions {
  /** The server cancels a statement that takes longer, in milliseconds. PGlite cannot. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a script needs from a connection: several statements at once, and statements that take long. */
export interface ScriptConnection {
  query(text: string, parameters?: readonly unknown[]): Promise<{ rows: Row[] }>;
}

export interface Database extends Queryable {
  readonly kind: 'postgres' | 'pglite';
  /** For `postgresSource`: the driver's own client. On PostgreSQL a pool that the caches have to themselves. */
  readonly client: Pool | PGlite;
  /** Commits what `work` did, or rolls it back when it throws. */
  transaction<R>(work: (transaction: Queryable) => Promise<R>): Promise<R>;
  /** A read-only transaction on connections of its own, always rolled back. For the statements of `sql` tools. */
  restricted<R>(options: RestrictedOptions, work: (transaction: Queryable) => Promise<R>): Promise<R>;
  /** A connection without deadline, for migrations and bulk loads. */
  script<R>(work: (connection: ScriptConnection) => Promise<R>): Promise<R>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://...`. Without it PGlite keeps the data in `dataDir`. */
  readonly databaseUrl?: string | undefined;
  /** Where `sql` tools log in, if not with `databaseUrl`: a weaker user, or a replica. */
  readonly toolDatabaseUrl?: string | undefined;
  /** Folder of the embedded database; `memory://` keeps nothing. */
  readonly dataDir: string;
  /** Deadline of one interactive query, its wait for a connection included, in milliseconds. Default 2000. */
  readonly deadlineMs?: number | undefined;
  readonly log?: Log | undefined;
}

/** Opens the database. A PostgreSQL server that is down is no error here: each query finds out for itself. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { databaseUrl, toolDatabaseUrl, dataDir, deadlineMs = 2000, log = silentLog } = options;
  if (databaseUrl === undefined) return openPGliteDatabase(dataDir);
  return openPostgresDatabase({ databaseUrl, toolDatabaseUrl: toolDatabaseUrl ?? databaseUrl, deadlineMs, log });
}
