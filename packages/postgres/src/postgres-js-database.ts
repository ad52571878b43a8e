/**
 * postgres.js: every piece of work runs in a transaction of its own, even a single SELECT, because nothing else gives
 * us a connection alone. Outside of one, postgres.js sends statements of others behind ours on the same connection,
 * and a cancel that arrives late would hit theirs; and `reserve()` hangs with `fetch_types: false`, and gives back
 * connections that have died.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PostgresJsClient, PostgresJsQuery, PostgresJsResult, PostgresJsTransaction } from './clients.ts';
import { type Answer, type Database, FAREWELL_MS, type Lease, originOf, type Statement } from './database.ts';
import { PostgresError, toPostgresError } from './errors.ts';
import { HeldTransaction } from './held-transaction.ts';
import { abortable, resolvesWithin } from './waiting.ts';

/**
 * Makes the BEGIN long enough (1,024 bytes) for postgres.js to send it at once, not a moment later. Where one connection
 * after the other dies with the server, whoever asks again as soon as the first is lost is given the second, and that
 * dies within the moment: postgres.js 3.4.9 then drops the sending but not the note that it is planned, sends nothing
 * through this place of its pool again, not even to sign in, and keeps one call after the other waiting there until
 * connect_timeout.
 */
const AT_ONCE = ' '.repeat(1024);

export function postgresJsDatabase(client: PostgresJsClient): Database {
  if (client.options?.transform?.row?.from) {
    throw new TypeError(
      'postgresSource: option "client": expected a postgres.js client without transform.row, got one with it: it would change the rows; use `map`',
    );
  }
  return {
    kind: 'postgres.js',
    async lease({ signal, snapshot, writes }) {
      signal.throwIfAborted();
      // A statement that waits for a lock sees what is there afterwards, but in REPEATABLE READ what was there before.
      const isolation = snapshot ? 'repeatable read' : 'read committed';
      const held = await HeldTransaction.open<PostgresJsTransaction>(
        (work) =>
          client.begin(`isolation level ${isolation} ${writes === true ? 'read write' : 'read only'}${AT_ONCE}`, work),
        signal,
      );
      return new PostgresJsLease(held, signal);
    },
  };
}

class PostgresJsLease implements Lease {
  readonly #held: HeldTransaction<PostgresJsTransaction>;
  readonly #signal: AbortSignal;
  #running: PostgresJsQuery | undefined;

  constructor(held: HeldTransaction<PostgresJsTransaction>, signal: AbortSignal) {
    this.#held = held;
    this.#signal = signal;
    // It may have aborted after the transaction was handed over, and tells nobody twice.
    if (signal.aborted) void this.#abort();
    else signal.addEventListener('abort', this.#abort, { once: true });
  }

  async run(statement: Statement): Promise<Answer> {
    this.#signal.throwIfAborted();
    // A statement sent to a dead connection would throw in postgres.js where nobody can catch it.
    if (this.#held.lost) throw new PostgresError({ message: 'the connection was lost', reachable: false });
    return toAnswer(await abortable(this.#send(statement), this.#signal));
  }

  async end(): Promise<void> {
    if (this.#signal.aborted) return;
    this.#signal.removeEventListener('abort', this.#abort);
    await this.#held.end();
  }

  /**
   * The connection is given back only when the cancel has reached the server and the statement has ended: what ends by
   * itself meanwhile would leave the cancel to somebody else's statement. What the transaction is ended with comes after
   * the cancel, so it takes in what is still on its way within the server.
   */
  readonly #abort = async (): Promise<void> => {
    // postgres.js sends a statement a moment after it was asked to, and loses track of one cancelled before.
    await nextTurn();
    const running = this.#running;
    if (running !== undefined)
      await Promise.allSettled([resolvesWithin(FAREWELL_MS, cancelAtServer(running)), running]);
    await this.#held.end();
  };

  async #send({ text, values, repeats }: Statement): Promise<PostgresJsResult> {
    // `prepare: true` still leaves the decision to the client's own option of that name.
    const query = this.#held.transaction.unsafe(text, [...values], { prepare: repeats === true }).raw();
    this.#running = query;
    try {
      return await query;
    } catch (error) {
      const failure = toPostgresError(error);
      // Not the server that spoke: a COMMIT now would be sent over a connection that is closed, and what postgres.js
      // throws then nobody can catch.
      if (failure.sqlstate === undefined) this.#held.lose();
      throw failure;
    } finally {
      this.#running = undefined;
    }
  }
}

/** Resolves when the server has closed the connection that the cancel came by, so it has told the session. */
async function cancelAtServer(query: PostgresJsQuery): Promise<void> {
  const { canceller } = query;
  await (typeof canceller === 'function' ? canceller(query) : query.cancel());
}

/** `raw()` gives bytes, untouched by the client's parsers and transforms. */
function toAnswer(result: PostgresJsResult): Answer {
  const decode = (value: unknown): string | null => (value === null ? null : (value as Buffer).toString('utf8'));
  const columns = (result.columns ?? []).map(({ type, table, number }) => ({ type, origin: originOf(table, number) }));
  return { rows: result.map((row) => row.map(decode)), columns };
}
