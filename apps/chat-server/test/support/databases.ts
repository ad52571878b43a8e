/** Databases for tests: one of each kind, migrated and seeded where the test asks for it. */
import { afterAll, beforeAll } from 'vitest';
import { embeddedDataDir } from '../../../../test/support/embedded-directory.ts';
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
  return open(() => ({ dataDir: embeddedDataDir() }));
}

/** A database in a real PostgreSQL, with the demo in it. */
export function useSeededPostgres(): TestDatabase {
  const postgres = usePostgres();
  return open(() => ({ dataDir: '', databaseUrl: postgres.url }));
}

function open(options: () => Parameters<typeof openDatabase>[0]): TestDatabase {
  let database: Database | undefined;
  beforeAll(async () => {
    const known = knownOptions(options);
    if (known === undefined) return;
    database = await openDatabase(known);
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

/** `undefined`: without a PostgreSQL server its tests are skipped, and there is nothing to prepare. */
function knownOptions<O>(options: () => O): O | undefined {
  try {
    return options();
  } catch {
    return undefined;
  }
}

/** Both kinds, for `describe.each`: the same has to be true on either. */
export const bothDatabases: readonly (readonly [string, () => TestDatabase])[] = [
  ['PGlite', usePGlite],
  ['PostgreSQL', useSeededPostgres],
];
