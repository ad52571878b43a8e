/** The connection of the command line: by `pg`, which only who uses the command line needs to have. */
import { UsageError } from './command.ts';

export interface Connection {
  query(text: string, values?: readonly string[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

/** @throws UsageError without a URL or without `pg`. */
export async function connect(url: string | undefined): Promise<Connection> {
  if (url === undefined || url === '') throw new UsageError('expected --url or the environment variable DATABASE_URL');
  const Client = await loadClient();
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

async function loadClient(): Promise<typeof import('pg').Client> {
  try {
    return (await import('pg')).default.Client;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('the package pg is needed to reach a database: npm install pg');
  }
}
