/**
 * Turns "run this function in a transaction", which is what postgres.js and PGlite offer, into "open, use, end".
 */
import { FAREWELL_MS } from './database.ts';
import { toPostgresError } from './errors.ts';
import { abortable, resolvesWithin } from './waiting.ts';

export class HeldTransaction<Transaction> {
  readonly transaction: Transaction;
  readonly #leave: () => void;
  readonly #over: Promise<unknown>;
  #lost = false;

  private constructor(transaction: Transaction, leave: () => void, over: Promise<unknown>) {
    this.transaction = transaction;
    this.#leave = leave;
    this.#over = over.catch(() => {
      this.#lost = true;
    });
  }

  static open<Transaction>(
    begin: (work: (transaction: Transaction) => Promise<void>) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<HeldTransaction<Transaction>> {
    const opened = new Promise<HeldTransaction<Transaction>>((resolve, reject) => {
      const over: Promise<unknown> = begin((transaction) => {
        // It took too long to get here: nobody waits any more.
        signal.throwIfAborted();
        return new Promise<void>((leave) => resolve(new HeldTransaction(transaction, leave, over)));
      });
      over.catch((error) => reject(toPostgresError(error)));
    });
    // The transaction opened, and the signal aborted before the caller heard of it: nobody else would end it. Comes
    // before `abortable`, whose caller owns the transaction otherwise.
    const endUnowned = (held: HeldTransaction<Transaction>): void => {
      if (signal.aborted) void held.end();
    };
    opened.then(endUnowned, () => {});
    return abortable(opened, signal);
  }

  /** The connection died under it. */
  get lost(): boolean {
    return this.#lost;
  }

  /**
   * To be called as soon as a statement has failed for want of a connection. The client says so to whoever runs the
   * transaction a moment later than to whoever waits for the statement, and in between `end()` would take it for alive.
   */
  lose(): void {
    this.#lost = true;
  }

  /** Ends the transaction and gives the connection back; waits no longer than FAREWELL_MS for that. */
  async end(): Promise<void> {
    // The function must not return after its connection has died: postgres.js would send the COMMIT through a
    // connection that is closed, or that is somebody else's by then.
    if (this.#lost) return;
    this.#leave();
    await resolvesWithin(FAREWELL_MS, this.#over);
  }
}
