/**
 * Asks the server to cancel what a pg connection is doing, by the protocol's own CancelRequest over a connection of
 * its own: unlike pg_cancel_backend() it needs no free slot in the pool, and it names the right session behind
 * pgbouncer too.
 */
import type { PgClient, PgPool } from './clients.ts';
import { FAREWELL_MS } from './database.ts';
import { resolvesWithin } from './waiting.ts';

/** What pg keeps about a connection; not in its types. */
interface PgClientInternals {
  readonly host?: string;
  readonly port?: number;
  readonly ssl?: unknown;
  readonly sslNegotiation?: unknown;
  readonly processID?: number | null;
  readonly secretKey?: number | null;
  readonly connection?: { readonly constructor: unknown };
}

interface Wire {
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  on(event: 'connect' | 'sslconnect' | 'error' | 'end', listener: () => void): void;
  readonly stream?: { destroy(): void };
}

type WireConstructor = new (options: { ssl: unknown; sslNegotiation: unknown; stream: unknown }) => Wire;

/** Resolves when the server has taken note, or after FAREWELL_MS; never rejects. */
export async function cancelAtServer(pool: PgPool, client: PgClient): Promise<void> {
  const { host, port, ssl, sslNegotiation, processID, secretKey, connection } = client as PgClientInternals;
  // A native client has no such connection: its statement runs on, and only the connection is closed.
  if (!connection || !host || !port || !processID || !secretKey) return;
  const { stream } = (pool as { options?: { stream?: unknown } }).options ?? {};
  let wire: Wire | undefined;
  const noted = new Promise<void>((resolve, reject) => {
    wire = new (connection.constructor as WireConstructor)({ ssl, sslNegotiation, stream });
    const opened = wire;
    const cancel = (): void => opened.cancel(processID, secretKey);
    opened.on('error', () => reject());
    opened.on('end', resolve);
    opened.on('sslconnect', cancel);
    opened.on('connect', () => {
      if (!ssl) cancel();
      else if (sslNegotiation !== 'direct') opened.requestSsl();
    });
    if (host.startsWith('/')) opened.connect(`${host}/.s.PGSQL.${port}`);
    else opened.connect(port, host);
  });
  if (!(await resolvesWithin(FAREWELL_MS, noted))) wire?.stream?.destroy();
}
