/** An abort may fall between any two microtasks of opening a connection; none of them may leave one without an owner. */
import { PGlite } from '@electric-sql/pglite';
import { Pool } from 'pg';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { embeddedDirectory } from '../../../test/support/embedded-directory.ts';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { type PostgresClient, postgresSource } from '../src/index.ts';
import { resolvesWithin } from '../src/waiting.ts';
import { CLIENT_KINDS, type ClientKind, context, readAll } from './use-client.ts';

const MICROTASKS = 60;

interface WatchedClient {
  readonly client: PostgresClient;
  /** A query of the application. */
  query(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** A client with room for one; it tells when it hands over a connection or a transaction. */
function openWatched(kind: ClientKind, url: string, onOpen: () => void): WatchedClient {
  if (kind === 'pg') {
    const pool = new Pool({ connectionString: url, max: 1 });
    const connect = pool.connect.bind(pool) as (callback: (...answer: unknown[]) => void) => void;
    const watched = (callback: (...answer: unknown[]) => void) =>
      connect((...answer) => {
        onOpen();
        callback(...answer);
      });
    const client = Object.assign(pool, { connect: watched }) as unknown as PostgresClient;
    return { client, query: () => pool.query('select 1'), close: () => pool.end() };
  }
  const watch =
    <Transaction>(work: (transaction: Transaction) => Promise<void>) =>
    (transaction: Transaction) => {
      onOpen();
      return work(transaction);
    };
  if (kind === 'postgres.js') {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    const begin = sql.begin.bind(sql);
    const watched = (how: string, work: Parameters<typeof watch>[0]) => begin(how, watch(work));
    const client = Object.assign(sql, { begin: watched }) as unknown as PostgresClient;
    return { client, query: async () => await sql`select 1`, close: () => sql.end({ timeout: 0 }) };
  }
  const pglite = new PGlite(embeddedDirectory());
  const transaction = pglite.transaction.bind(pglite);
  const watched = (work: Parameters<typeof watch>[0]) => transaction(watch(work));
  const client = Object.assign(pglite, { transaction: watched }) as unknown as PostgresClient;
  return { client, query: () => pglite.query('select 1'), close: () => resolvesWithin(1000, pglite.close()) };
}

describe.each(CLIENT_KINDS)('an abort in any microtask after %s has given a connection', (kind) => {
  const database = kind === 'pglite' ? undefined : usePostgres();
  let onOpen = (): void => {};
  let watched: WatchedClient | undefined;
  beforeEach(() => {
    watched = openWatched(kind, database?.url ?? '', () => onOpen());
  });
  afterEach(() => watched?.close());

  // PGlite opens nothing for one key.
  const methods = kind === 'pglite' ? (['fetchAll'] as const) : (['fetchAll', 'fetchOne'] as const);

  test.each(methods)('of %s gives it back', async (method) => {
    const select = 'select n as id from generate_series(1, 3) as n';
    for (let microtasks = 0; microtasks <= MICROTASKS; microtasks++) {
      const controller = new AbortController();
      onOpen = async () => {
        onOpen = () => {};
        for (let passed = 0; passed < microtasks; passed++) await undefined;
        controller.abort(new Error('stopped'));
      };
      const source = postgresSource({ client: watched!.client, select, key: 'id' });
      const reading =
        method === 'fetchOne'
          ? source.fetchOne('1', context(controller.signal))
          : source.fetchAll(context(controller.signal)).then(readAll);
      await expect(reading, `aborted in microtask ${microtasks}`).rejects.toThrow('stopped');
      const answered = await resolvesWithin(1000, watched!.query());
      expect(answered, `a query answered after an abort in microtask ${microtasks}`).toBe(true);
    }
  });
});
