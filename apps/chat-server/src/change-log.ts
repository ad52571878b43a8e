/** Lets the database log what is written to the tables that the server mirrors, so that a refresh reads only that. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Database, ScriptConnection } from './database.ts';
import { DatabaseUnavailable } from './database-unavailable.ts';
import type { Log } from './log.ts';

const TABLES = ['public.agent_configurations', 'public.agent_tools', 'public.tools'] as const;

const SQL_FILE = createRequire(import.meta.url).resolve('@evercache/postgres/sql/change-log-1.sql');

/**
 * Which of them are logged already, as well as that can be: a trigger that was dropped or disabled can be put back, what a
 * subscription writes or a table with children has to be mended by others.
 */
const FOLLOWED = `select array(select t.tbl from evercache.tables as t
  where evercache.refusal(evercache.relation_of(t.tbl)) is not null or not exists (
    select p.problem from evercache.problems() as p where p.tbl = t.tbl
    except select * from evercache.beyond_mending(evercache.relation_of(t.tbl)))) as tables`;

/**
 * Installs the log where it is missing. Somebody who may not (another role owns the log, a server older than 14) has a
 * server that works all the same: every refresh of its mirror reads all rows, and the log says why.
 * @throws DatabaseUnavailable when the database cannot be asked.
 */
export async function installChangeLog(database: Database, log: Log): Promise<void> {
  await database.script(async (connection) => {
    try {
      if ((await missingIn(connection)).length > 0) await install(connection);
    } catch (error) {
      if (error instanceof DatabaseUnavailable) throw error;
      await connection.query('rollback').catch(() => {});
      log.warn({ err: error }, 'changes cannot be logged: every refresh of the tools reads all of them');
    }
  });
}

async function install(connection: ScriptConnection): Promise<void> {
  await connection.query('begin transaction isolation level read committed');
  // Writers queue up behind us while we wait for one of them.
  await connection.query(`set local lock_timeout = '10s'`);
  await connection.query(readFileSync(SQL_FILE, 'utf8'));
  // One installation at a time from here on: another instance may just have done it.
  for (const table of await missingIn(connection)) await connection.query(`select evercache.follow('${table}')`);
  await connection.query('commit');
}

async function missingIn(connection: ScriptConnection): Promise<readonly string[]> {
  const { rows } = await connection.query(`select to_regclass('evercache.tables') is not null
    and to_regprocedure('evercache.relation_of(text)') is not null as "isThere"`);
  if (rows[0]?.isThere !== true) return TABLES;
  const { rows: found } = await connection.query(FOLLOWED);
  const followed = found[0]?.tables as readonly string[];
  return TABLES.filter((table) => !followed.includes(table));
}
