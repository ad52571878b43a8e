/** What a SQLSTATE says about the database and about its message. The one place where this is decided. */

/** Starts of SQLSTATEs that mean: the database cannot answer now. Everything else is an answer, if not a welcome one. */
const OUTAGES: readonly string[] = [
  '08', // connection exception
  '28', // invalid authorization: a password that was rotated, a role that may not connect
  '53', // insufficient resources: too many connections, disk full, out of memory
  '57P', // operator intervention: shutting down, crashed, starting up, database dropped
  '57014', // query canceled, say by statement_timeout
  '58', // system error outside PostgreSQL: I/O
  'XX', // internal error, corrupted data
];

/** Classes whose messages speak of the schema, of rights and of the server, never of data. */
const SAFE_CLASSES: readonly string[] = [
  '08', // connection exception
  '0A', // feature not supported
  '25', // invalid transaction state
  '28', // invalid authorization
  '3D', // invalid catalog name
  '3F', // invalid schema name
  '40', // transaction rollback: serialization failure, deadlock
  '42', // syntax error, missing table or column, permission denied
  '53', // insufficient resources
  '54', // program limit exceeded
  '55', // object not in prerequisite state: lock not available
  '57', // operator intervention
  '58', // system error
  'XX', // internal error
];

/** Whether the failure says that the database is not there, as opposed to: it did answer and refused. */
export function isOutage(sqlstate: string): boolean {
  return OUTAGES.some((start) => sqlstate.startsWith(start));
}

/** The server's message, or a text of our own where the server's may quote a value. */
export function safeMessage(sqlstate: string, message: string): string {
  const sqlClass = sqlstate.slice(0, 2);
  if (SAFE_CLASSES.includes(sqlClass)) return message;
  const kind = sqlClass === '22' ? 'data exception: a value does not fit' : 'the server refused';
  return `${kind} (its message may quote data and is left out)`;
}

/** What a changed table makes of a statement that was built for its former columns. */
export function mayBeStaleShape(sqlstate: string | undefined): boolean {
  return sqlstate !== undefined && (sqlstate.startsWith('42') || sqlstate === '0A000');
}

/** Whether the statement itself was refused: what it names is not there or not allowed, or a value does not fit. */
export function refusesStatement(sqlstate: string | undefined): boolean {
  return mayBeStaleShape(sqlstate) || ['3F', '22'].includes(sqlstate?.slice(0, 2) ?? '');
}
