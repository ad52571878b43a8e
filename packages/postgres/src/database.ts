/**
 * What this package needs of a database, and all it needs. Each client has one file that makes a `Database` of it;
 * nothing else knows which client it is.
 */

/** A value that every client binds in the same way. */
export type QueryParameter = string | number | boolean | null;

export interface Statement {
  readonly text: string;
  readonly values: readonly QueryParameter[];
  /** Sent again and again with other values, so that a client which prepares statements safely may. */
  readonly repeats?: boolean;
}

export interface Answer {
  /** Every column as PostgreSQL's own text. */
  readonly rows: readonly (readonly (string | null)[])[];
  readonly columns: readonly AnswerColumn[];
}

export interface AnswerColumn {
  /** The object id of its type. */
  readonly type: number;
  /** `undefined`: it is computed, or the client does not tell. */
  readonly origin: Origin | undefined;
}

/** The column of a table or view that a result's column is, as it stands there. */
export interface Origin {
  /** The object id of the table. */
  readonly table: number;
  /** The number of the column within it. */
  readonly column: number;
}

/** As PostgreSQL tells it: zeros where there is none. */
export function originOf(table = 0, column = 0): Origin | undefined {
  return table === 0 || column === 0 ? undefined : { table, column };
}

/** A connection, ours for as long as one piece of work runs. */
export interface Lease {
  /** Runs one statement. Rejects with a `PostgresError`, or at once with the signal's reason when that aborts. */
  run(statement: Statement): Promise<Answer>;
  /** Gives the connection back. Never rejects, and does nothing after an abort: that gives it back by itself. */
  end(): Promise<void>;
}

export interface LeaseOptions {
  /** Aborted: the statement is cancelled at the server, or the connection destroyed, whoever is waiting for what. */
  readonly signal: AbortSignal;
  /** In a read-only REPEATABLE READ transaction: all statements see one moment. */
  readonly snapshot: boolean;
  /** The statement writes. @default false */
  readonly writes?: boolean;
}

export interface Database {
  readonly kind: 'pg' | 'postgres.js' | 'pglite';
  /** Waits for a connection. Rejects as `Lease.run` does. */
  lease(options: LeaseOptions): Promise<Lease>;
}

/** How long a server may take over a farewell (cancel, rollback) before its connection is given up. */
export const FAREWELL_MS = 500;
