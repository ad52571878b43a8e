/** The three clients, each over an empty database of its own, for tests that hold for all of them. */
import { PGlite } from '@electric-sql/pglite';
import type { FetchContext } from 'evercache';
import { Pool } from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll } from 'vitest';
import { embeddedDirectory } from '../../../test/support/embedded-directory.ts';
import { hasPostgres, usePostgres } from '../../../test/support/use-postgres.ts';
import type { PostgresClient } from '../src/index.ts';

export const CLIENT_KINDS = ['pg', 'postgres.js', 'pglite'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

export interface TestClient {
  readonly client: PostgresClient;
  /** Runs a script. */
  run(sql: string): Promise<void>;
  close(): Promise<void>;
}

/** A client for the tests of this `describe`, and a script run before them. */
export function useClient(kind: ClientKind, script = ''): TestClient {
  const database = kind === 'pglite' ? undefined : usePostgres();
  let opened: TestClient | undefined;
  beforeAll(async () => {
    if (database !== undefined && !hasPostgres()) return;
    opened = openClient(kind, database?.url ?? '');
    if (script !== '') await opened.run(script);
  });
  afterAll(() => opened?.close());
  return {
    get client() {
      return opened!.client;
    },
    run: (sql) => opened!.run(sql),
    close: () => opened!.close(),
  };
}

/** Session settings in the manner of each client. */
export function openClient(kind: ClientKind, url: string, settings: Record<string, string> = {}): TestClient {
  if (kind === 'pg') {
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const pool = new Pool({ connectionString: url, options: options.join(' ') });
    return { client: pool, run: async (sql) => void (await pool.query(sql)), close: () => pool.end() };
  }
  if (kind === 'postgres.js') {
    const sql = postgres(url, { connection: settings, onnotice: () => {} });
    return { client: sql, run: async (text) => void (await sql.unsafe(text)), close: () => sql.end({ timeout: 1 }) };
  }
  const pglite = new PGlite(embeddedDirectory());
  return { client: pglite, run: async (sql) => void (await pglite.exec(sql)), close: () => pglite.close() };
}

/** What a cache would tell a source; the signal never aborts unless one is given. */
export function context(signal: AbortSignal = new AbortController().signal): FetchContext {
  return { signal, reason: 'test' };
}

/** Reads a snapshot to its end. */
export async function readAll<T>(entries: AsyncIterable<readonly [string, T]>): Promise<[string, T][]> {
  const all: [string, T][] = [];
  for await (const [key, value] of entries) all.push([key, value]);
  return all;
}
