import { describe, expect, test } from 'vitest';
import { type PostgresRow, postgresSource } from '../src/index.ts';
import { AGENTS, CHANGE_LOG, Mirror, PRICES } from './mirror.ts';
import { CLIENT_KINDS, context, useClient } from './use-client.ts';

describe.each(CLIENT_KINDS)('a delta over %s', (kind) => {
  const database = useClient(kind, CHANGE_LOG);

  const pricesSource = (select = 'select id, amount from prices where not hidden') =>
    postgresSource({ client: database.client, select, key: 'id', follow: { prices: 'key' } });

  async function prices(): Promise<Mirror<PostgresRow>> {
    await database.run(PRICES);
    const mirror = new Mirror(pricesSource());
    expect(await mirror.refresh()).toBe('snapshot');
    return mirror;
  }

  async function agents(): Promise<Mirror<string[]>> {
    await database.run(AGENTS);
    const mirror = new Mirror(
      postgresSource({
        client: database.client,
        select: `select a.id as agent_id, t.id as tool_id, t.name from agents as a
          left join agent_tools as l on l.agent_id = a.id left join tools as t on t.id = l.tool_id`,
        key: 'agent_id',
        rows: 'grouped',
        orderBy: ['name'],
        presentWhen: 'tool_id',
        map: (row) => row.name as string,
        follow: {
          agents: 'key',
          agent_tools: { column: 'agent_id' },
          'public.tools': {
            sql: `with l as (select * from agent_tools)
              select agent_id from l join changed on tool_id = changed.key::int -- every agent that has one of them`,
          },
        },
      }),
    );
    await mirror.refresh();
    return mirror;
  }

  test('brings what was inserted, updated and deleted, and nothing else', async () => {
    const mirror = await prices();
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    await database.run(`insert into prices values (101, 1); update prices set amount = 0 where id in (1, 2);
      delete from prices where id = 3; insert into prices values (102, 1); delete from prices where id = 102`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+1 +101 +2 -102 -3']);
    expect(mirror.rows.get('1')).toEqual({ id: 1, amount: 0 });
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
  });

  test('takes a row away that no longer meets the SELECT, and one whose key has changed', async () => {
    const mirror = await prices();
    await database.run('update prices set hidden = true where id = 5; update prices set id = 206 where id = 6');
    await mirror.refresh();
    expect(mirror.changes).toBe('+206 -5 -6');
  });

  test('keeps still about what was rolled back', async () => {
    const mirror = await prices();
    await database.run(`do $$ begin
      update prices set amount = -2 where id = 7;
      begin update prices set amount = -3; raise 'enough'; exception when others then null; end;
    end $$`);
    await mirror.refresh();
    expect(mirror.changes).toBe('+7');
  });

  test('of more than 2,000 keys is streamed', async () => {
    const mirror = await prices();
    await database.run(`insert into prices select n, n from generate_series(1001, 5500) as n`);
    expect(await mirror.refresh()).toBe('delta');
    expect(mirror.upserted).toHaveLength(4500);
    await database.run(
      `delete from prices where id between 1001 and 3200; update prices set amount = 0 where id > 3200`,
    );
    expect(await mirror.refresh()).toBe('delta');
    expect([mirror.upserted.length, mirror.deleted.length, mirror.rows.size]).toEqual([2300, 2200, 2400]);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
  });

  test('of exactly 2,000 keys comes whole', async () => {
    const mirror = await prices();
    await database.run(`insert into prices select n, n from generate_series(1001, 3000) as n`);
    await mirror.refresh();
    expect([mirror.upserted.length, mirror.rows.size]).toEqual([2000, 2100]);
  });

  test('of a large statement, a TRUNCATE or an unmarked rewrite of the table is everything anew', async () => {
    const mirror = await prices();
    for (const [script, size] of [
      ['insert into prices select n, n from generate_series(1001, 7000) as n', 6100],
      ['truncate prices', 0],
      ['insert into prices values (1, 1); alter table prices alter hidden type text', 1],
    ] as const) {
      const changed = script.replace('alter hidden', 'alter amount');
      await database.run(changed);
      expect([changed, await mirror.refresh(), mirror.rows.size]).toEqual([changed, 'resync', size]);
      expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    }
  });

  test('finds the keys that a joined table touches, by a logged column and by a look-up', async () => {
    const mirror = await agents();
    await database.run(`update tools set name = 'TWO' where id = 2`);
    await mirror.refresh();
    expect([mirror.changes, mirror.rows.get('1')]).toEqual(['+1 +2', ['TWO', 'tool 1']]);
    await database.run('update agent_tools set agent_id = 4 where agent_id = 3');
    await mirror.refresh();
    expect([mirror.changes, mirror.rows.get('3'), mirror.rows.get('4')]).toEqual(['+3 +4', [], ['tool 3']]);
    await database.run('delete from agent_tools where agent_id = 2; delete from tools where id = 2');
    await mirror.refresh();
    // Agent 1 still has the link, to nothing.
    expect([mirror.changes, mirror.rows.get('2'), mirror.rows.get('1')]).toEqual(['+1 +2', [], ['tool 1']]);
    await database.run('delete from agents where id = 4; insert into agents values (5)');
    await mirror.refresh();
    expect([mirror.changes, mirror.rows.get('5')]).toEqual(['+5 -4', []]);
  });

  test('passes over keys that are none of the SELECT', async () => {
    await prices();
    const sql = `select k from (values ('abc'), ('007'), ('99999999999999999999'), (null), ('7')) as v(k), changed`;
    const mirror = new Mirror(
      postgresSource({
        client: database.client,
        select: 'select * from prices',
        key: 'id',
        follow: { prices: { sql } },
      }),
    );
    await mirror.refresh();
    await database.run('update prices set amount = 0 where id = 9');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+7 -007 -99999999999999999999 -abc']);
  });

  test.each(['int8', 'int2', 'numeric', 'text', 'varchar(9)', 'char(9)', 'date'])(
    'finds keys of type %s',
    async (type) => {
      const values = type === 'date' ? ['2024-02-29', '2024-03-01'] : ['7', '8'];
      await database.run(`drop table if exists typed; create table typed (id ${type} primary key, n int);
        insert into typed select id::${type}, 0 from unnest('{${values}}'::text[]) as id; select evercache.follow('typed')`);
      const mirror = new Mirror(
        postgresSource({ client: database.client, select: 'select * from typed', key: 'id', follow: { typed: 'key' } }),
      );
      await mirror.refresh();
      await database.run(
        `update typed set n = 1 where id = '${values[1]}'; delete from typed where id = '${values[0]}'`,
      );
      expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', `+${values[1]} -${values[0]}`]);
    },
  );

  test('is not confused by columns and tables named like ours', async () => {
    const names = ['r', 'q', 'd', 'k', 't', 'm', 's', 'one', 'xid', 'op', 'news'];
    await database.run(`drop table if exists touched, changed; create table touched (id int primary key,
        ${names.map((name) => `${name} int`).join(', ')}); create table changed (id int);
      insert into touched (id) values (1); insert into changed values (1); select evercache.follow('touched')`);
    const source = postgresSource({
      client: database.client,
      select: 'select t.* from touched as t join changed using (id)',
      key: 'id',
      follow: { touched: 'key' },
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await database.run('update touched set r = 1, d = 2, k = 3');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+1']);
    const expected = { id: 1, ...Object.fromEntries(names.map((name) => [name, null])), r: 1, d: 2, k: 3 };
    expect([mirror.rows.get('1'), await source.fetchOne('1', context())]).toEqual([expected, expected]);
  });

  test('takes parameters of the SELECT and a table whose name needs quotes', async () => {
    const table = `"Odd ""one"."T'able"`;
    await database.run(`create schema if not exists "Odd ""one"; drop table if exists "Odd ""one"."T'able";
      create table "Odd ""one"."T'able" ("the 'Key" uuid primary key, owner int);
      insert into "Odd ""one"."T'able" values ('00000000-0000-0000-0000-000000000001', 1), ('00000000-0000-0000-0000-000000000002', 2);
      select evercache.follow('"Odd ""one"."T''able"', array['the ''Key'])`);
    const mirror = new Mirror(
      postgresSource({
        client: database.client,
        select: `select * from "Odd ""one"."T'able" where owner <> $1`,
        params: [2],
        key: "the 'Key",
        follow: { [table]: { column: "the 'Key" } },
      }),
    );
    await mirror.refresh();
    await database.run(`update "Odd ""one"."T'able" set owner = 3 - owner`);
    expect([await mirror.refresh(), mirror.changes]).toEqual([
      'delta',
      '+00000000-0000-0000-0000-000000000002 -00000000-0000-0000-0000-000000000001',
    ]);
  });

  test('takes parameters of the SELECT also where it is streamed', async () => {
    await database.run(PRICES);
    const select = 'select id, amount from prices where id > $1 and amount <> $2 and not hidden = $3';
    const mirror = new Mirror(
      postgresSource({
        client: database.client,
        select,
        params: [2, '7', true],
        key: 'id',
        follow: { prices: 'key' },
      }),
    );
    await mirror.refresh();
    await database.run('insert into prices select n, n from generate_series(1001, 3500) as n');
    expect([await mirror.refresh(), mirror.upserted.length, mirror.rows.size]).toEqual(['delta', 2500, 2597]);
  });
});
