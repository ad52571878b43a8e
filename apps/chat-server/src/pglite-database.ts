/**
 * The embedded default: PostgreSQL as WebAssembly inside this process, so that the server runs with nothing installed.
 * It works in our own thread: a statement that takes long holds up everything and cannot be cancelled. Use PostgreSQL
 * for more than trying things out.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite, PGliteInterface, Transaction } from '@electric-sql/pglite';
import type { Database, Queryable, Row } from './database.ts';
import { lockDirectory } from './directory-lock.ts';

/**
 * @param dataDir folder for the data, made if it is not there; `memory://` keeps nothing.
 * @throws Error if another process has it open.
 */
export async function openPGliteDatabase(dataDir: string): Promise<Database> {
  const { PGlite } = await import('@electric-sql/pglite');
  if (dataDir.startsWith('memory://')) return toDatabase(await PGlite.create());
  await mkdir(dataDir, { recursive: true });
  const unlock = await lockDirectory(dataDir);
  try {
    const database = toDatabase(await PGlite.create(join(dataDir, 'pglite')));
    return { ...database, close: () => database.close().finally(unlock) };
  } catch (error) {
    await unlock();
    throw error;
  }
}

function toDatabase(client: PGlite): Database {
  return {
    kind: 'pglite',
    client,
    query: bind(client),
    transaction: (work) => client.transaction((transaction) => work({ query: bind(transaction) })),
    restricted: ({ signal }, work) =>
      client.transaction(async (transaction) => {
        signal?.throwIfAborted();
        await transaction.exec('set transaction read only');
        const result = await work({ query: bind(transaction) });
        await transaction.rollback();
        return result;
      }),
    script: (work) =>
      work({
        query: async (text, parameters) => {
          if (parameters !== undefined) return client.query<Row>(text, [...parameters]);
          const results = await client.exec(text);
          return { rows: (results.at(-1)?.rows ?? []) as Row[] };
        },
      }),
    close: () => client.close(),
  };
}

function bind(client: PGliteInterface | Transaction): Queryable['query'] {
  return async <R>(text: string, parameters: readonly unknown[] = []): Promise<R[]> =>
    (await client.query<R>(text, [...parameters])).rows;
}
