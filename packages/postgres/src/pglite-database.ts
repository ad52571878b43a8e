/**
 * PGlite: PostgreSQL in our own thread. There is one session, so a snapshot keeps all other queries waiting; and
 * nothing can be cancelled, because while a statement runs, nothing else does.
 */
import type { PGliteClient, PGliteQueryable } from './clients.ts';
import type { Answer, Database, Lease, Statement } from './database.ts';
import { toPostgresError } from './errors.ts';
import { HeldTransaction } from './held-transaction.ts';
import { abortable } from './waiting.ts';

const TEXT = 25;

/** Text as it is, whatever parser the user has installed for it. */
const AS_TEXT = { [TEXT]: (value: string) => value };

export function pgliteDatabase(client: PGliteClient): Database {
  return {
    kind: 'pglite',
    async lease({ signal, snapshot }) {
      signal.throwIfAborted();
      if (!snapshot) return new PGliteLease(client, signal);
      const held = await HeldTransaction.open<PGliteQueryable>((work) => client.transaction(work), signal);
      const lease = new PGliteLease(held.transaction, signal, held);
      try {
        await lease.run({ text: 'set transaction isolation level repeatable read, read only', values: [] });
      } catch (error) {
        await lease.end();
        throw error;
      }
      return lease;
    },
  };
}

class PGliteLease implements Lease {
  readonly #session: PGliteQueryable;
  readonly #signal: AbortSignal;
  readonly #held: HeldTransaction<PGliteQueryable> | undefined;

  constructor(session: PGliteQueryable, signal: AbortSignal, held?: HeldTransaction<PGliteQueryable>) {
    this.#session = session;
    this.#signal = signal;
    this.#held = held;
    if (held !== undefined) signal.addEventListener('abort', this.#abort, { once: true });
  }

  async run(statement: Statement): Promise<Answer> {
    this.#signal.throwIfAborted();
    return await abortable(this.#send(statement), this.#signal);
  }

  async end(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort);
    await this.#held?.end();
  }

  readonly #abort = async (): Promise<void> => {
    await this.#held?.end();
  };

  async #send({ text, values }: Statement): Promise<Answer> {
    try {
      const result = await this.#session.query(text, [...values], { rowMode: 'array', parsers: AS_TEXT });
      const columns = result.fields.map(({ dataTypeID }) => ({ type: dataTypeID, origin: undefined }));
      return { rows: result.rows as (string | null)[][], columns };
    } catch (error) {
      throw toPostgresError(error);
    }
  }
}
