/** The ways from a mirror to the tables: a client, and what lies between it and them. */
import { Pool } from 'pg';
import postgres from 'postgres';
import type { PostgresClient } from '../src/index.ts';

export interface Opened {
  readonly client: PostgresClient;
  close(): Promise<unknown>;
}

/** Shown to the server, so that faults can tell whom to hit. */
const NAME = 'torture mirror';

export function openPg(url: string): Opened {
  const pool = new Pool({
    connectionString: url,
    application_name: NAME,
    max: 2,
    connectionTimeoutMillis: 2000,
    keepAlive: true,
  });
  return { client: pool, close: () => pool.end() };
}

/** `fetch_types: false`: a connection that dies while it reads the types is a rejection that nobody can catch. */
export function openPostgresJs(url: string, { prepare = true } = {}): Opened {
  const sql = postgres(url, {
    max: 2,
    connection: { application_name: NAME },
    connect_timeout: 2,
    fetch_types: false,
    prepare,
    onnotice: () => {},
  });
  return { client: sql, close: () => sql.end({ timeout: 0 }) };
}
