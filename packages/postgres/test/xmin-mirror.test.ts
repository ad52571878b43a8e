import { expect, test } from 'vitest';
import { postgresMirror } from '../src/index.ts';
import { mirrorOf as followingMirrorOf, useAgentTables } from './use-mirror.ts';

/** The log is installed, and not looked at. */
const database = useAgentTables();

const mirrorOf = () => followingMirrorOf(database.pool, { followBy: 'xmin' });

test('a mirror that scans by xmin reads the rows that were written, whoever wrote them, and drops what is gone', async () => {
  const { mirror, names, counts } = mirrorOf();
  await mirror.start();
  expect(names('1')).toEqual(['tool 1', 'tool 2']);
  counts.read = 0;
  await database.pool.query(`set session_replication_role = replica; update tools set name = 'new' where id = 2;
    reset session_replication_role`);
  expect(await mirror.refresh()).toMatchObject({ kind: 'delta', outcome: 'published', updated: 1 });
  expect([names('1'), names('2'), counts.read]).toEqual([['tool 1', 'new'], ['new'], 1]);
  await database.pool.query('update agent_tools set agent_id = 3 where tool_id = 1; delete from agents where id = 2');
  expect(await mirror.refresh()).toMatchObject({ kind: 'delta', added: 1, removed: 2 });
  expect([names('1'), names('2'), names('3'), counts.read]).toEqual([['new'], undefined, ['tool 1', 'tool 3'], 1]);
  expect(await mirror.refresh()).toMatchObject({ kind: 'delta', outcome: 'unchanged' });
  await database.pool.query('truncate agent_tools');
  expect(await mirror.refresh()).toMatchObject({ kind: 'snapshot' });
});

test('a mirror says of itself that it reads tables, whichever tier it runs on', async () => {
  const limitsOf = async (options: Partial<Parameters<typeof postgresMirror>[0]>): Promise<unknown> => {
    const tables = { tools: { table: 'tools' } };
    const mirror = postgresMirror({ name: 'tools', client: database.pool, tables, ...options });
    await mirror.start();
    await mirror.stop();
    return mirror.status().source;
  };
  await database.pool.query('create or replace view all_tools as select * from tools');
  const view = { tables: { tools: { table: 'all_tools', key: 'id' } } };
  const sources = [
    await limitsOf({}),
    await limitsOf(view),
    await limitsOf({ followBy: 'xmin' }),
    await limitsOf({ ...view, followBy: 'xmin' }),
  ];
  expect(sources).toMatchObject([
    { tier: 'change log' },
    { tier: 'snapshot', limits: 'a change is seen by the next refresh, and every refresh reads all tables' },
    { tier: 'xmin', following: ['public.tools'] },
    { tier: 'snapshot', reason: expect.stringContaining('public.all_tools is no ordinary table') },
  ]);
  for (const source of sources) expect((source as { limits: string }).limits).not.toContain('SELECT');
  await database.pool.query('drop view all_tools');
});

test('options that do not go together are refused', () => {
  const make = (options: object) => () =>
    postgresMirror({ name: 'tools', client: database.pool, tables: { tools: { table: 'tools' } }, ...options });
  expect(make({ followBy: 'wal' })).toThrow(`postgresMirror: option "followBy": expected 'log' or 'xmin', got "wal"`);
  expect(make({ followBy: 'xmin', push: 'leader' })).toThrow(`option "push": expected 'off' with followBy: 'xmin'`);
});
