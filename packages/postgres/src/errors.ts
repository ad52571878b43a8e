/** The one error of this package, and how the errors of three clients become it. */
import { isOutage, safeMessage } from './sqlstate.ts';

interface PostgresErrorDetails {
  readonly message: string;
  readonly sqlstate?: string | undefined;
  readonly reachable: boolean;
  readonly cause?: unknown;
}

/**
 * A query failed. `message` starts with the SQLSTATE where the server gave one and never holds a value, a key or a
 * parameter; for the same reason the client's own error is not kept as `cause`.
 */
export class PostgresError extends Error {
  override readonly name = 'PostgresError';
  /** The server's code for what is wrong, as `42703`; `undefined`: the failure did not come from the server. */
  readonly sqlstate: string | undefined;
  /** The database did answer, so this is no outage and does not count towards the breaker. */
  readonly reachable: boolean;

  constructor({ message, sqlstate, reachable, cause }: PostgresErrorDetails) {
    super(sqlstate === undefined ? message : `${sqlstate} ${message}`, cause === undefined ? undefined : { cause });
    this.sqlstate = sqlstate;
    this.reachable = reachable;
  }
}

/** The rows or the SELECT are not what the options say; found by us, in the server's words where it has a code. */
export function badResult(message: string, sqlstate?: string): PostgresError {
  return new PostgresError({ message, sqlstate, reachable: true });
}

/** Whatever a client threw, as a PostgresError. */
export function toPostgresError(error: unknown): PostgresError {
  if (error instanceof PostgresError) return error;
  const { code, severity, message } = (typeof error === 'object' && error !== null ? error : {}) as ClientError;
  // Only the server's errors have a severity: Node's 'EPIPE' would pass for a SQLSTATE as well.
  if (typeof code === 'string' && typeof severity === 'string') {
    const said = safeMessage(code, typeof message === 'string' ? message : '');
    return new PostgresError({ sqlstate: code, message: said, reachable: !isOutage(code) });
  }
  return new PostgresError({ message: networkMessage(error), reachable: false });
}

interface ClientError {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly message?: unknown;
}

function networkMessage(error: unknown): string {
  // A host with several addresses fails with all of them at once, and an empty message.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error)) return 'the client failed without saying why';
  const { code } = first as { code?: unknown };
  return typeof code === 'string' && !first.message.includes(code) ? `${code} ${first.message}` : first.message;
}
