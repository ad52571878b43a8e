/**
 * Tells an outage from a mistake: an outage passes by itself and is answered with "try again", a mistake is not.
 */

/** The database cannot be asked right now. `cause` is what the driver said; it is for logs, not for strangers. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}

/**
 * SQLSTATEs with which a server says "not now" (a prefix is a whole class): connection lost, resources used up, being
 * shut down or started, cancelled at the deadline, its password changed.
 */
const NOT_NOW = ['08', '28', '53', '57P', '57014', '58'];

/** What a failing query threw, as `DatabaseUnavailable` if it was an outage, else unchanged. */
export function classifyDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof DatabaseUnavailable) return error;
  const state = sqlState(error);
  // Without a SQLSTATE it was not the server who spoke: the connection broke, or was never made.
  if (state !== undefined && !NOT_NOW.some((prefix) => state.startsWith(prefix))) return error;
  return new DatabaseUnavailable('the database does not answer', error);
}

/** The SQLSTATE of an error that the server sent, `undefined` for any other. */
export function sqlState(error: unknown): string | undefined {
  // Only the server's errors have a severity; without asking for it, Node's EPIPE would pass for a SQLSTATE.
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
