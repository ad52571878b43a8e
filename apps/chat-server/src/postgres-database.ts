/**
 * PostgreSQL through `pg`. Three small pools, because each kind of work must not wait for the others: what people wait
 * for, what the caches read, what tools read. A pool connects when it is first asked, so a server that is down costs
 * nothing at start; every wait has an end, also when the server accepts connections and then says nothing.
 */
import pg from 'pg';
import type { Database, Queryable, Row } from './database.ts';
import { classifyDatabaseError, DatabaseUnavailable } from './database-unavailable.ts';
import type { Log } from './log.ts';

export interface PostgresDatabaseOptions {
  readonly databaseUrl: string;
  readonly toolDatabaseUrl: string;
  readonly deadlineMs: number;
  readonly log: Log;
}

/** What is left for the answer itself after the server was told to stop. */
const CANCEL_GRACE_MS = 500;
const CONNECT_TIMEOUT_MS = 10_000;

export function openPostgresDatabase(options: PostgresDatabaseOptions): Database {
  const { databaseUrl, toolDatabaseUrl, deadlineMs, log } = options;
  const createPool = (name: string, connectionString: string, config: pg.PoolConfig): pg.Pool => {
    const pool = new pg.Pool({ connectionString, application_name: `evercache-${name}`, keepAlive: true, ...config });
    // An idle connection that breaks is reported here; without a listener it would end the process.
    pool.on('error', (error) => log.warn({ pool: name, reason: error.message }, 'lost an idle database connection'));
    return pool;
  };
  const interactive = createPool('chat', databaseUrl, {
    max: 10,
    connectionTimeoutMillis: deadlineMs,
    statement_timeout: deadlineMs,
    idle_in_transaction_session_timeout: 4 * deadlineMs,
  });
  const caches = createPool('caches', databaseUrl, { max: 10, connectionTimeoutMillis: deadlineMs });
  const tools = createPool('tools', toolDatabaseUrl, { max: 4, connectionTimeoutMillis: deadlineMs });

  return {
    kind: 'postgres',
    client: caches,
    query: (text, parameters) => {
      const started = performance.now();
      return borrow(interactive, undefined, (client) =>
        run(client, text, parameters, deadlineMs - (performance.now() - started)),
      );
    },
    transaction: (work) =>
      borrow(interactive, undefined, (client) => {
        return inTransaction(client, { begin: 'begin', end: 'commit', deadlineMs }, work);
      }),
    restricted: ({ timeoutMs, signal }, work) =>
      borrow(tools, signal, (client) => {
        const begin = `begin read only; set local statement_timeout = ${Math.ceil(timeoutMs)}`;
        return inTransaction(client, { begin, end: 'rollback', deadlineMs: timeoutMs + CANCEL_GRACE_MS }, work);
      }),
    script: async (work) => {
      const client = new pg.Client({
        connectionString: databaseUrl,
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        keepAlive: true,
      });
      client.on('error', () => {}); // the query that was under way rejects, too
      await client.connect().catch(cannotConnect);
      try {
        return await work({
          query: (text, parameters) => client.query<Row>(text, parameters as unknown[] | undefined).catch(classified),
        });
      } finally {
        await client.end().catch(() => {});
      }
    },
    close: async () => {
      await Promise.all([interactive.end(), caches.end(), tools.end()]);
    },
  };
}

/**
 * Lends a connection to `work`. After an outage, or when the caller leaves, it is destroyed rather than given back:
 * nobody knows what it is still doing, and the server rolls back what it had begun.
 */
async function borrow<R>(
  pool: pg.Pool,
  signal: AbortSignal | undefined,
  work: (client: pg.PoolClient) => Promise<R>,
): Promise<R> {
  signal?.throwIfAborted();
  const client = await pool.connect().catch(cannotConnect);
  const ignore = (): void => {}; // a lent connection that breaks says so here as well as to its query
  client.on('error', ignore);
  let released = false;
  const release = (destroy: boolean): void => {
    if (released) return;
    released = true;
    client.off('error', ignore);
    client.release(destroy);
  };
  const leave = (): void => {
    client.once('error', ignore);
    release(true);
  };
  signal?.addEventListener('abort', leave, { once: true });
  try {
    signal?.throwIfAborted();
    const result = await work(client);
    release(false);
    return result;
  } catch (error) {
    release(error instanceof DatabaseUnavailable);
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

async function inTransaction<R>(
  client: pg.PoolClient,
  { begin, end, deadlineMs }: { begin: string; end: string; deadlineMs: number },
  work: (transaction: Queryable) => Promise<R>,
): Promise<R> {
  const query: Queryable['query'] = (text, parameters) => run(client, text, parameters, deadlineMs);
  await query(begin);
  try {
    const result = await work({ query });
    await query(end);
    return result;
  } catch (error) {
    // A connection that no longer answers is destroyed, which rolls back as well, and without another wait.
    if (!(error instanceof DatabaseUnavailable)) await query('rollback');
    throw error;
  }
}

async function run<R>(
  client: pg.PoolClient,
  text: string,
  parameters: readonly unknown[] | undefined,
  deadlineMs: number,
): Promise<R[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DatabaseUnavailable('the database answers too slowly')), deadlineMs);
  });
  try {
    const answer = client.query(text, parameters as unknown[] | undefined).catch(classified);
    const { rows } = await Promise.race([answer, late]);
    return rows as R[];
  } finally {
    clearTimeout(timer);
  }
}

function classified(error: unknown): never {
  throw classifyDatabaseError(error);
}

/** Whatever kept us from connecting (refused, unknown host, wrong password, pool used up), the remedy is to wait. */
function cannotConnect(error: unknown): never {
  throw new DatabaseUnavailable('the database cannot be reached', error);
}
