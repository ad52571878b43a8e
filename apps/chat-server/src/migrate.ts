/** Brings the database to the state of `migrations/`, from empty or from any earlier one. */
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import { installChangeLog } from './change-log.ts';
import type { Database } from './database.ts';
import { type Log, silentLog } from './log.ts';

const directory = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Applies what is missing, in one transaction, then sees to the change log. Safe to repeat, and when several instances start at once: an advisory
 * lock lets one work and the others find it done. Answers the names of the migrations it applied.
 * @throws DatabaseUnavailable when the database cannot be asked.
 */
export async function migrate(database: Database, log: Log = silentLog): Promise<string[]> {
  const names = await database.script(async (connection) => {
    const applied = await runner({
      dbClient: connection as never, // of pg's client it uses `query` alone
      dir: directory,
      direction: 'up',
      migrationsTable: 'chat_server_migrations',
      advisoryLockMode: 'wait',
      singleTransaction: true,
      logger: {
        info: () => {},
        warn: (message) => log.warn({}, message),
        // The statement that failed, all of it: what failed is thrown as well, and logged by whoever asked for this.
        error: (message) => log.debug({}, message),
      },
    });
    return applied.map(({ name }) => name);
  });
  await installChangeLog(database, log);
  return names;
}
