/** The connection of the command line. */
import { loadPgClient } from '../pg-package.ts';
import { UsageError } from './command.ts';

export interface Connection {
  query(text: string, values?: readonly string[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

/** @throws UsageError without a URL or without `pg`. */
export async function connect(url: string | undefined): Promise<Connection> {
  if (url === undefined || url === '') throw new UsageError('expected --url or the environment variable DATABASE_URL');
  const Client = await loadPgClient();
  if (Client === undefined) throw new UsageError('the package pg is needed to reach a database: npm install pg');
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'evercache-postgres',
  });
  // The query under way fails as well, and that is what is reported.
  client.on('error', () => {});
  await client.connect();
  return {
    query: async (text, values = []) => await client.query(text, [...values]),
    end: () => client.end(),
  };
}
