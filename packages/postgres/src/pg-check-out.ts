/**
 * Waits for a connection of a pg pool, no longer than the signal allows.
 *
 * pg cannot be told that somebody has stopped waiting: the place in the queue stays, and a connection being opened to
 * a frozen server keeps its slot until that server thaws (or for `connectionTimeoutMillis`, where set). So this
 * reaches into two private fields of the pool, and does without where they are not there: a connection that comes too
 * late is given back at once in any case.
 */
import type { PgClient, PgPool } from './clients.ts';
import { toPostgresError } from './errors.ts';

interface PoolInternals {
  /** All connections, those being opened included; the newest last. */
  readonly _clients?: readonly { readonly connection?: { readonly stream?: { destroy(): void } } }[];
  readonly _pendingQueue?: { readonly callback?: unknown }[];
}

/**
 * A slot freed at once would go to the next in the queue, for whom the pool would open the next connection, just before
 * that one gives up too: whoever waits for the same server has much the same deadline.
 */
const STRAGGLERS_MS = 50;

/** What ends a connection is told to whoever waits for an answer; as an event it would end the process. */
export const ignore = (): void => {};

/** With `ignore` listening. */
export function checkOut(pool: PgPool, signal: AbortSignal): Promise<PgClient> {
  const { _clients, _pendingQueue } = pool as PoolInternals;
  return new Promise<PgClient>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let answered = false;
    const callback = (error: Error | undefined, client: PgClient | undefined): void => {
      answered = true;
      // Not a moment later: where the server says goodbye in the same breath as hello (it is being stopped, its postmaster
      // has died), the event comes before anybody who waits for the promise.
      client?.on('error', ignore);
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) giveBack(client);
      else if (client === undefined) reject(toPostgresError(error));
      else resolve(client);
    };
    const onAbort = (): void => {
      reject(signal.reason);
      const place = _pendingQueue?.findIndex((waiting) => waiting.callback === callback) ?? -1;
      if (place >= 0) _pendingQueue?.splice(place, 1);
      else if (opening !== undefined) setTimeout(giveUp, STRAGGLERS_MS);
    };
    const giveUp = (): void => {
      if (!answered) opening?.connection?.stream?.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const before = pool.totalCount;
    pool.connect(callback);
    const opening = pool.totalCount > before ? _clients?.at(-1) : undefined;
  });
}

function giveBack(client: PgClient | undefined): void {
  client?.removeListener('error', ignore);
  client?.release();
}
