/** `pg`: a connection is borrowed from the pool for one piece of work, and destroyed if it missed its deadline. */
import { createHash } from 'node:crypto';
import type { PgClient, PgPool, PgResult } from './clients.ts';
import {
  type Answer,
  type Database,
  FAREWELL_MS,
  type Lease,
  type LeaseOptions,
  originOf,
  type Statement,
} from './database.ts';
import { type PostgresError, toPostgresError } from './errors.ts';
import { cancelAtServer } from './pg-cancel.ts';
import { checkOut, ignore } from './pg-check-out.ts';
import { abortable, resolvesWithin } from './waiting.ts';

/** Values come as the server wrote them, whatever parsers the user has installed; a binary client hands over bytes. */
const AS_TEXT = { getTypeParser: () => (value: string) => String(value) };

/**
 * The statement was prepared over another connection of the server, or the name is taken there: a pooler hands
 * connections out by the transaction and knows nothing of prepared statements.
 */
const REFUSED_PREPARED: readonly string[] = ['26000', '42P05'];

/** Whether statements may be prepared, found out by trying, and their names. */
interface Prepares {
  allowed: boolean;
  readonly names: Map<string, string>;
}

/** The same text has the same name in every process: they may share connections of the server. */
function nameOf(text: string, { names }: Prepares): string {
  const name = names.get(text) ?? `evercache_${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
  names.set(text, name);
  return name;
}

export function pgDatabase(pool: PgPool): Database {
  // A pool announces the death of an idle connection as an 'error' event, and an EventEmitter without a listener
  // throws it: the process would end because the database restarted. The next query opens another connection.
  if (pool.listenerCount('error') === 0) pool.on('error', ignore);
  const prepares: Prepares = { allowed: true, names: new Map() };
  return {
    kind: 'pg',
    async lease(options) {
      const lease = new PgLease(pool, await checkOut(pool, options.signal), options, prepares);
      await lease.begin();
      return lease;
    },
  };
}

class PgLease implements Lease {
  readonly #pool: PgPool;
  readonly #client: PgClient;
  readonly #options: LeaseOptions;
  readonly #prepares: Prepares;
  #open = true;
  #running = false;
  #lost = false;

  constructor(pool: PgPool, client: PgClient, options: LeaseOptions, prepares: Prepares) {
    this.#prepares = prepares;
    this.#pool = pool;
    this.#client = client;
    this.#options = options;
    options.signal.addEventListener('abort', this.#abort, { once: true });
  }

  async begin(): Promise<void> {
    if (!this.#options.snapshot) return;
    try {
      await this.run({ text: 'begin isolation level repeatable read read only', values: [] });
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  async run(statement: Statement): Promise<Answer> {
    this.#options.signal.throwIfAborted();
    return toAnswer(await abortable(this.#sendPrepared(statement), this.#options.signal));
  }

  async end(): Promise<void> {
    if (this.#open && this.#options.snapshot && !this.#lost) {
      // Nothing was written, and a rollback also ends a transaction that failed.
      await resolvesWithin(FAREWELL_MS, this.#send({ text: 'rollback', values: [] }));
    }
    if (!this.#open) return;
    this.#release(this.#lost || this.#running);
  }

  /**
   * The deadline has passed. The connection is destroyed even where the cancel succeeds: a cancel that arrives late
   * would hit the next statement on it, which is somebody else's.
   */
  readonly #abort = async (): Promise<void> => {
    if (!this.#open) return;
    this.#open = false;
    if (this.#running) await cancelAtServer(this.#pool, this.#client);
    // pg says goodbye to an idle server and waits for its answer, which a frozen one never gives; with a statement
    // under way it closes the socket at once.
    else this.#send({ text: 'rollback', values: [] }).catch(ignore);
    this.#client.release(true);
  };

  #release(destroy: boolean): void {
    this.#open = false;
    this.#options.signal.removeEventListener('abort', this.#abort);
    if (!destroy) this.#client.removeListener('error', ignore);
    this.#client.release(destroy);
  }

  /** Planning costs more than running, so what repeats is prepared, unless somebody between us and the server objects. */
  async #sendPrepared(statement: Statement): Promise<PgResult> {
    // Inside a transaction the objection could not be made up for.
    if (statement.repeats !== true || this.#options.snapshot || !this.#prepares.allowed) return this.#send(statement);
    try {
      return await this.#send(statement, nameOf(statement.text, this.#prepares));
    } catch (error) {
      if (!REFUSED_PREPARED.includes((error as PostgresError).sqlstate ?? '')) throw error;
      this.#prepares.allowed = false;
      return await this.#send(statement);
    }
  }

  async #send({ text, values }: Statement, name?: string): Promise<PgResult> {
    this.#running = true;
    const prepared = name === undefined ? {} : { name };
    try {
      return await this.#client.query({ ...prepared, text, values: [...values], rowMode: 'array', types: AS_TEXT });
    } catch (error) {
      throw this.#note(toPostgresError(error));
    } finally {
      this.#running = false;
    }
  }

  #note(error: PostgresError): PostgresError {
    // Without a SQLSTATE it was not the server that spoke: the connection is gone or out of step.
    this.#lost ||= error.sqlstate === undefined;
    return error;
  }
}

function toAnswer(result: PgResult): Answer {
  const columns = result.fields.map(({ dataTypeID, tableID, columnID }) => ({
    type: dataTypeID,
    origin: originOf(tableID, columnID),
  }));
  return { rows: result.rows as (string | null)[][], columns };
}
