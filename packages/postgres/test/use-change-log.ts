/** A database with tables and a change log, for the tests of a file. */
import { Client } from 'pg';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { hasPostgres, usePostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';

interface Logged {
  readonly tbl: string;
  readonly key: string | null;
  readonly columns: Record<string, string | null> | null;
  readonly op: string;
}

export interface ChangeLogDatabase {
  readonly url: string;
  /** Runs a script as a superuser, in one session. */
  run(script: string): Promise<void>;
  rows<Row>(query: string): Promise<Row[]>;
  /** What a script adds to the log, sorted: `U public.tools 1`. */
  logged(script: string): Promise<string[]>;
  /** Another session, until the test ends. */
  connect(role?: string): Promise<Client>;
}

export function useChangeLog(...scripts: string[]): ChangeLogDatabase {
  return changeLogIn(usePostgres(), scripts);
}

/** On a server of its own: a transaction of somebody else, in whatever database, would keep the log from being pruned. */
export function usePrunableChangeLog(...scripts: string[]): ChangeLogDatabase {
  const own = usePrivatePostgres();
  const database = {
    get url() {
      return own.server.url;
    },
  };
  return changeLogIn(database, scripts);
}

function changeLogIn(database: { readonly url: string }, scripts: readonly string[]): ChangeLogDatabase {
  let admin: Client;
  const open = async (): Promise<Client> => {
    const client = new Client(database.url);
    // The database is dropped under whoever is still there.
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  beforeAll(async () => {
    if (!hasPostgres()) return;
    admin = await open();
    for (const script of scripts) await admin.query(script);
  });
  afterAll(() => admin?.end());
  const rows = async <Row>(query: string): Promise<Row[]> => (await admin.query(query)).rows as Row[];
  return {
    get url() {
      return database.url;
    },
    run: async (script) => void (await admin.query(script)),
    rows,
    logged: async (script) => {
      await admin.query('delete from evercache.change_log');
      await admin.query(script);
      const found = await rows<Logged>('select tbl, key, columns, op from evercache.change_log');
      const lines = found.map(({ tbl, key, columns, op }) =>
        [op, tbl, ...(key === null ? [] : [key]), ...(columns === null ? [] : [JSON.stringify(columns)])].join(' '),
      );
      return lines.sort();
    },
    connect: async (role) => {
      const client = await open();
      onTestFinished(() => client.end());
      if (role !== undefined) await client.query(`set role ${role}`);
      return client;
    },
  };
}
