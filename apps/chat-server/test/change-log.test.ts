import { describe, expect, it } from 'vitest';
import { installChangeLog } from '../src/change-log.ts';
import { type Log, silentLog } from '../src/log.ts';
import { bothDatabases } from './support/databases.ts';

describe.each(bothDatabases)('the change log on %s', (_, use) => {
  const given = use();

  const problems = (): Promise<unknown[]> => given.database.query('select tbl, problem from evercache.problems()');

  async function install(): Promise<string[]> {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_details, message) => warnings.push(message) };
    await installChangeLog(given.database, log);
    return warnings;
  }

  it.each([
    ['a trigger is dropped', 'drop trigger evercache_delete on tools'],
    ['a trigger is disabled', 'alter table tools disable trigger evercache_update'],
    ['all triggers are disabled', 'alter table agent_tools disable trigger all'],
    ['a table is not listed', `delete from evercache.tables where tbl = 'public.agent_configurations'`],
  ])('is mended by the next start where %s', async (_name, breakIt) => {
    await given.database.query(breakIt);
    expect(await install()).toEqual([]);
    expect(await problems()).toEqual([]);
    const [mended] = await given.database.query('select count(*)::int as tables from evercache.tables');
    expect(mended).toEqual({ tables: 3 });
  });

  it('is mended for the other tables where one cannot be followed, and that one is left alone', async () => {
    await given.database.query('create table child () inherits (tools)');
    await given.database.query('drop trigger evercache_update on agent_tools');
    const marks = (): Promise<unknown[]> =>
      given.database.query(`select count(*)::int from evercache.change_log where tbl = 'public.tools'`);
    const before = await marks();
    expect(await install()).toEqual([]);
    expect(await marks()).toEqual(before);
    expect(await problems()).toEqual([{ tbl: 'public.tools', problem: 'has tables that inherit from it' }]);
    await given.database.query('drop table child');
  });

  it('is mended where it is of an older layout', async () => {
    await given.database.query('drop function evercache.relation_of(text) cascade');
    expect(await install()).toEqual([]);
    expect(await problems()).toEqual([]);
  });

  it('is left alone where nothing is missing, so that no cache reads everything because of a start', async () => {
    const entries = (): Promise<unknown[]> => given.database.query('select xid, op from evercache.change_log');
    const before = await entries();
    expect(await install()).toEqual([]);
    expect(await entries()).toEqual(before);
  });
});
