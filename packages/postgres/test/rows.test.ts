import { describe, expect, test } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { CLIENT_KINDS, context, readAll, useClient } from './use-client.ts';

const SCRIPT = `
create table agents (id int primary key, name text);
create table tools (id int primary key, name text);
create table agent_tools (agent_id int, tool_id int, position int);
insert into agents select n, 'agent ' || n from generate_series(1, 12) as n;
insert into tools select n, 'tool ' || n from generate_series(1, 5) as n;
-- Agent 1 has tools in an order of its own, agent 2 two with the same position, agent 3 none, agent 10 one.
insert into agent_tools values (1, 3, 1), (1, 1, 2), (1, 2, 3), (2, 5, 1), (2, 4, 1), (10, 5, 1);
create table with_null (id int); insert into with_null values (1), (null);
create table twice (id int, n int); insert into twice values (1, 1), (2, 1), (1, 2);`;

const AGENT_TOOLS = `select a.id as agent_id, t.id as tool_id, t.name, l.position
from agents as a left join agent_tools as l on l.agent_id = a.id left join tools as t on t.id = l.tool_id`;

describe.each(CLIENT_KINDS)('rows over %s', (kind) => {
  const database = useClient(kind, SCRIPT);
  const agentTools = () =>
    postgresSource({
      client: database.client,
      select: AGENT_TOOLS,
      key: 'agent_id',
      rows: 'grouped',
      orderBy: ['position'],
      presentWhen: 'tool_id',
      map: (row) => row.name as string,
    });

  test('of a group come in order, ties by their own text, by every way of reading', async () => {
    const source = agentTools();
    const all = new Map(await readAll(await source.fetchAll(context())));
    expect(all.get('1')).toEqual(['tool 3', 'tool 1', 'tool 2']);
    expect(all.get('2')).toEqual(['tool 4', 'tool 5']);
    for (const [key, value] of all) expect(await source.fetchOne(key, context())).toEqual(value);
    expect(await source.fetchMany([...all.keys(), '99'], context())).toEqual(all);
  });

  test('that are missing on the right of a LEFT JOIN make the empty list, which is not absence', async () => {
    const source = agentTools();
    const all = new Map(await readAll(await source.fetchAll(context())));
    expect(all.size).toBe(12);
    expect(all.get('3')).toEqual([]);
    expect(await source.fetchOne('3', context())).toEqual([]);
    expect(await source.fetchOne('99', context())).toBeUndefined();
  });

  test('without presentWhen are all items', async () => {
    const source = postgresSource({ client: database.client, select: AGENT_TOOLS, key: 'agent_id', rows: 'grouped' });
    expect(await source.fetchOne('3', context())).toEqual([{ agent_id: 3, tool_id: null, name: null, position: null }]);
  });

  test('keep groups whole that span batches', async () => {
    const source = postgresSource({
      client: database.client,
      select: 'select n % 3 as id, n from generate_series(1, 5000) as n',
      key: 'id',
      rows: 'grouped',
      orderBy: ['n'],
      map: (row) => row.n as number,
    });
    const all = await readAll(await source.fetchAll(context()));
    expect(all.map(([key, items]) => [key, items.length, items[0], items.at(-1)])).toEqual([
      ['0', 1666, 3, 4998],
      ['1', 1667, 1, 4999],
      ['2', 1667, 2, 5000],
    ]);
  });

  test('are all there, whatever their number does to the batches', async () => {
    for (const count of [0, 1, 1999, 2000, 2001, 4000]) {
      const select = `select n as id from generate_series(1, ${count}) as n`;
      const source = postgresSource({ client: database.client, select, key: 'id' });
      expect(await readAll(await source.fetchAll(context()))).toHaveLength(count);
    }
  });

  test('with the same key are a failure where one row is expected', async () => {
    const source = postgresSource({ client: database.client, select: 'select * from twice', key: 'id' });
    const message = 'two rows have the same key in column "id"';
    await expect(readAll(await source.fetchAll(context()))).rejects.toThrow(message);
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({
      message: expect.stringContaining(message),
      reachable: true,
    });
    expect(await source.fetchOne('2', context())).toEqual({ id: 2, n: 1 });
  });

  test.each(['single', 'grouped'] as const)('without a key are a failure (%s)', async (rows) => {
    const options = { client: database.client, select: 'select * from with_null', key: 'id' };
    const source = rows === 'single' ? postgresSource(options) : postgresSource({ ...options, rows });
    await expect(readAll<unknown>(await source.fetchAll(context()))).rejects.toThrow('column "id" is null in a row');
  });

  test('that map cannot read are a failure that names no value', async () => {
    const map = () => {
      throw new RangeError('secret');
    };
    const source = postgresSource({ client: database.client, select: 'select * from agents', key: 'id', map });
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({
      message: 'map threw RangeError for a row; expected a value for every row',
      reachable: true,
    });
  });

  test.each(['single', 'grouped'] as const)('that map gives no value for are a failure (%s)', async (rows) => {
    const options = { client: database.client, select: 'select * from agents', key: 'id', map: () => undefined };
    const source = rows === 'single' ? postgresSource(options) : postgresSource({ ...options, rows });
    const failure = {
      name: 'PostgresError',
      message: 'map returned undefined for a row; expected a value for every row',
      reachable: true,
    };
    await expect(source.fetchOne('1', context())).rejects.toMatchObject(failure);
    await expect(readAll<unknown>(await source.fetchAll(context()))).rejects.toMatchObject(failure);
  });

  test.each([
    'select * from agents;',
    'select * from agents -- all of them',
    'with a as (select * from agents) select * from a ; \n',
  ])('come from a SELECT that ends as in a script: %s', async (select) => {
    const source = postgresSource({ client: database.client, select, key: 'id' });
    expect(await source.fetchOne('1', context())).toEqual({ id: 1, name: 'agent 1' });
    expect(await readAll(await source.fetchAll(context()))).toHaveLength(12);
  });

  test('are not computed only to learn what the columns are', async () => {
    await database.run('create sequence if not exists runs');
    const source = postgresSource({ client: database.client, select: `select nextval('runs') as id`, key: 'id' });
    expect(await source.fetchOne('no number', context())).toBeUndefined();
    await database.run('do $$ begin assert not (select is_called from runs); end $$');
  });

  test('follow a table that changes its columns', async () => {
    await database.run('create table changing (id int primary key, a int); insert into changing values (1, 2)');
    const source = postgresSource({ client: database.client, select: 'select * from changing', key: 'id' });
    expect(await source.fetchOne('1', context())).toEqual({ id: 1, a: 2 });
    await database.run('alter table changing rename a to b');
    expect(await source.fetchOne('1', context())).toEqual({ id: 1, b: 2 });
    await database.run('alter table changing alter id type text, alter b type int8');
    expect(await source.fetchOne('1', context())).toEqual({ id: '1', b: '2' });
    await database.run('alter table changing add c date');
    expect(await readAll(await source.fetchAll(context()))).toEqual([['1', { id: '1', b: '2', c: null }]]);
    expect(await source.fetchOne('1', context())).toEqual({ id: '1', b: '2', c: null });
    await database.run('drop table changing; create table changing (id uuid)');
    expect(await source.fetchOne('1', context())).toBeUndefined();
  });
});
