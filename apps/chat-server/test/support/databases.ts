/** Databases for tests: one of each kind, migrated and seeded where the test asks for it. */
import { afterAll, beforeAll } from 'vitest';
import { usePostgres } from '../../../../test/support/use-postgres.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { migrate } from '../../src/migrate.ts';
import { seed } from '../../src/seed.ts';

export interface TestDatabase {
  /** Read inside hooks and tests. */
  readonly database: Database;
}

/** An embedded database in memory, with the demo in it. Quick; it cannot show what several connections do. */
export function usePGlite(): TestDatabase {
  return open(() => ({ dataDir: 'memory://' }));
}

/** A database in a real PostgreSQL, with the demo in it. */
export function useSeededPostgres(): TestDatabase {
  const postgres = usePostgres();
  return open(() => ({ dataDir: '', databaseUrl: postgres.url }));
}

function open(options: () => Parameters<typeof openDatabase>[0]): TestDatabase {
  let database: Database | undefined;
  beforeAll(async () => {
    if (!canOpen(options)) return;
    database = await openDatabase(options());
    await migrate(database);
    await seed(database);
  });
  afterAll(async () => {
    await database?.close();
  });
  return {
    get database(): Database {
      if (database === undefined) throw new Error('expected to be read inside a hook or a test, got none');
      return database;
    },
  };
}

/** Without a PostgreSQL server its tests are skipped, and there is nothing to prepare. */
function canOpen(options: () => unknown): boolean {
  try {
    options();
    return true;
  } catch {
    return false;
  }
}

/** Both kinds, for `describe.each`: the same has to be true on either. */
export const bothDatabases: readonly (readonly [string, () => TestDatabase])[] = [
  ['PGlite', usePGlite],
  ['PostgreSQL', useSeededPostgres],
];
