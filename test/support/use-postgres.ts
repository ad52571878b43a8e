/**
 * PostgreSQL for a test file. Where no server can be had, the tests of the file are skipped, and say why.
 */
import { afterAll, beforeAll, beforeEach, inject } from 'vitest';
import { createDatabase, type FreshDatabase } from './create-database.ts';
import { type PrivatePostgres, type PrivatePostgresOptions, startPrivatePostgres } from './private-postgres.ts';

/** An empty database in the shared server, for the tests of this `describe` or file. Read `url` inside hooks and tests. */
export function usePostgres(): { readonly url: string } {
  const shared = inject('postgres');
  let database: FreshDatabase | undefined;
  beforeAll(async () => {
    if ('url' in shared) database = await createDatabase(shared.url);
  });
  beforeEach((context) => {
    if ('missing' in shared) context.skip(`no PostgreSQL: ${shared.missing}`);
  });
  afterAll(async () => {
    await database?.drop();
  });
  return {
    get url(): string {
      return present(database).url;
    },
  };
}

/** A server of its own, to kill, freeze and restart. Read `server` inside hooks and tests. */
export function usePrivatePostgres(options: PrivatePostgresOptions = {}): { readonly server: PrivatePostgres } {
  let server: PrivatePostgres | undefined;
  let missing = '';
  beforeAll(async () => {
    try {
      server = await startPrivatePostgres(options);
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error);
    }
  });
  beforeEach((context) => {
    if (server === undefined) context.skip(`no PostgreSQL: ${missing}`);
  });
  afterAll(async () => {
    await server?.stop();
  });
  return {
    get server(): PrivatePostgres {
      return present(server);
    },
  };
}

/** Whether there is a server: hooks of a file that prepare data ask this first. */
export function hasPostgres(): boolean {
  return 'url' in inject('postgres');
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected to be read inside a hook or a test with a PostgreSQL, got none');
  return value;
}
