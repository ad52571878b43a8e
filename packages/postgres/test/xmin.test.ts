import { describe, expect, test } from 'vitest';
import { type PostgresRow, postgresSource } from '../src/index.ts';
import { Mirror } from './mirror.ts';
import { CLIENT_KINDS, context, useClient } from './use-client.ts';

const PRICES = `drop table if exists prices, currencies; create table currencies (code text primary key, rate int);
  insert into currencies values ('a', 1), ('b', 2);
  create table prices (id int primary key, amount int, hidden boolean not null default false, currency text default 'a');
  insert into prices select n, n from generate_series(1, 100) as n;`;

describe.each(CLIENT_KINDS)('a scan by xmin over %s', (kind) => {
  const database = useClient(kind);

  const sourceOf = (select = 'select id, amount from prices where not hidden') =>
    postgresSource({ client: database.client, select, key: 'id', follow: { prices: 'key' }, followBy: 'xmin' });

  async function prices(source = sourceOf()): Promise<Mirror<PostgresRow>> {
    await database.run(PRICES);
    const mirror = new Mirror(source);
    expect(await mirror.refresh()).toBe('snapshot');
    expect(source.status()).toMatchObject({ tier: 'xmin', following: ['public.prices'] });
    return mirror;
  }

  test('brings what was inserted, updated and deleted, and nothing else', async () => {
    const mirror = await prices();
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    await database.run(`insert into prices values (101, 1); update prices set amount = 0 where id in (1, 2);
      delete from prices where id = 3; insert into prices values (102, 1); delete from prices where id = 102`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+1 +101 +2 -3']);
    expect([mirror.rows.get('1'), mirror.rows.size]).toEqual([{ id: 1, amount: 0 }, 100]);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
  });

  test('takes a row away that no longer meets the SELECT, and one whose key has changed', async () => {
    const source = sourceOf();
    const mirror = await prices(source);
    await database.run('update prices set hidden = true where id = 5');
    expect([await mirror.refresh(), mirror.changes, source.status().reconciled]).toEqual(['delta', '-5', 0]);
    await database.run('update prices set id = 206 where id = 6; delete from prices where hidden');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+206 -6']);
    await database.run('insert into prices values (5, 5); delete from prices where id = 7');
    expect([await mirror.refresh(), mirror.changes, source.status().reconciled]).toEqual(['delta', '+5 -7', 2]);
  });

  test('sees what is written past the triggers', async () => {
    const mirror = await prices();
    await database.run(`set session_replication_role = replica; update prices set amount = 0 where id = 1;
      delete from prices where id = 2; insert into prices values (101, 1); reset session_replication_role;
      alter table prices disable trigger all; update prices set amount = 0 where id = 3`);
    await mirror.refresh();
    expect(mirror.changes).toBe('+1 +101 +3 -2');
  });

  test('keeps still about what was rolled back, locked, frozen or written and deleted again', async () => {
    const mirror = await prices();
    await database.run(`do $$ begin
      update prices set amount = -2 where id = 7;
      begin update prices set amount = -3; raise 'enough'; exception when others then null; end;
    end $$`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+7']);
    await database.run(`do $$ begin perform from prices for update; perform from prices for share; end $$`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    await database.run('vacuum (freeze) prices');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    await database.run('insert into prices values (300, 1); delete from prices where id = 300');
    await database.run('vacuum (freeze) prices');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
  });

  test('finds what was written and frozen before it looked', async () => {
    const mirror = await prices();
    await database.run('update prices set amount = 0 where id <= 2');
    await database.run('vacuum (freeze) prices');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+1 +2']);
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

  test.each([
    ['TRUNCATE', 'truncate prices; insert into prices values (1, 1)', 1],
    ['VACUUM FULL', 'vacuum full prices', 100],
    [
      'another table of that name',
      'alter table prices rename to old; create table prices as table old; drop table old; alter table prices add primary key (id)',
      100,
    ],
    ['another type', 'alter table prices alter amount type bigint', 100],
    [
      'no primary key for a while',
      'alter table prices drop constraint prices_pkey; update prices set amount = 1 where id = 1; alter table prices add primary key (id)',
      100,
    ],
  ])('holds what is there after %s', async (_, script, size) => {
    const mirror = await prices();
    for (const statement of script.split(';')) await database.run(statement);
    await database.run('update prices set amount = 7 where id = 1');
    await mirror.refresh();
    expect([mirror.rows.size, Number(mirror.rows.get('1')?.amount)]).toEqual([size, 7]);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
  });

  test('takes back a row that was read by itself and is gone before the next look', async () => {
    const source = sourceOf();
    const mirror = await prices(source);
    await database.run('insert into prices values (500, 1)');
    expect(await source.fetchOne('500', context())).toEqual({ id: 500, amount: 1 });
    await database.run('delete from prices where id = 500');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '-500']);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    await database.run('insert into prices values (501, 1), (502, 1)');
    await source.fetchMany(['1', '2', '501', '502'], context());
    await database.run('delete from prices where id in (1, 501)');
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+502 -1 -501']);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
  });

  test('sees rows that come and go with other tables, and of those that stay not what is joined', async () => {
    const source = sourceOf('select p.id, rate from prices as p join currencies on code = currency');
    const mirror = await prices(source);
    await database.run(`update prices set currency = 'c' where id <= 2; insert into currencies values ('d', 4)`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '-1 -2']);
    await database.run(`insert into currencies values ('c', 3); delete from prices where id in (3, 4)`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+1 +2 -3 -4']);
    await database.run(`update currencies set rate = 9 where code = 'c'`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    expect(source.status().limits).toContain('but the row of the table (other rows, the time, settings)');
  });

  test('may be asked twice from one position, and no more from one that was left behind', async () => {
    const source = sourceOf();
    const mirror = await prices(source);
    const first = mirror.cursor;
    await database.run('delete from prices where id = 1; insert into prices values (101, 1)');
    for (let n = 0; n < 2; n += 1) {
      mirror.cursor = first;
      await mirror.refresh();
      expect(mirror.changes).toBe('+101 -1');
    }
    await mirror.refresh();
    expect(await source.fetchChanges(first, context())).toBe('resync');
    expect(source.status().resyncs).toEqual({ count: 1, last: 'the keys of the position are not known any more' });
    const [other] = [new Mirror(sourceOf())];
    other.cursor = JSON.parse(JSON.stringify(mirror.cursor));
    expect(await other.refresh()).toBe('resync');
  });

  test('reads keys as the SELECT does: of several columns, with times, in another schema', async () => {
    await database.run(`drop schema if exists "My Own" cascade; create schema "My Own";
      create table "My Own"."Of Days" (day date, n float8, at timestamptz, amount int, primary key (day, n, at));
      insert into "My Own"."Of Days" select '2024-02-01'::date + n, n + 0.1::float8, now(), n from generate_series(1, 5) as n`);
    const source = postgresSource({
      client: database.client,
      select: `select concat('["', day, '","', n, '","', to_json(at at time zone 'UTC') #>> '{}', 'Z"]') as key, amount
        from "My Own"."Of Days" where amount > $1`,
      params: [0],
      key: 'key',
      follow: { '"My Own"."Of Days"': 'key' },
      followBy: 'xmin',
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await database.run(
      `update "My Own"."Of Days" set amount = 7 where amount = 2; delete from "My Own"."Of Days" where amount = 3`,
    );
    expect([await mirror.refresh(), mirror.upserted.length, mirror.deleted.length]).toEqual(['delta', 1, 1]);
    expect([...mirror.rows.values()].map(({ amount }) => amount)).toEqual([1, 7, 4, 5]);
  });

  test('of keys that are not those of the table is a refresh of everything', async () => {
    await database.run(PRICES);
    const source = sourceOf('select id + 1000 as id, amount from prices');
    const mirror = new Mirror(source);
    await mirror.refresh();
    await database.run('update prices set amount = 0 where id = 1');
    await mirror.refresh();
    expect([mirror.rounds.snapshot, mirror.rows.get('1001')?.amount]).toEqual([2, 0]);
    expect(source.status().reason).toBe('the keys are not those of table public.prices');
    await database.run('delete from prices');
    expect([await mirror.refresh(), source.status().tier]).toEqual(['snapshot', 'xmin']);
  });

  test.each([
    ['a view', 'create view odd as select * from prices', 'public.odd is no ordinary table'],
    [
      'a partitioned table',
      'create table odd (id int primary key) partition by range (id)',
      'public.odd is no ordinary',
    ],
    [
      'a parent',
      'create table odd (id int primary key); create table below () inherits (odd)',
      'public.odd is no ordinary',
    ],
    ['a table without a primary key', 'create table odd (id int)', 'table public.odd has no primary key'],
    ['no table', 'select 1', 'table odd does not exist'],
  ])('of %s is a refresh of everything, and says why', async (_, script, reason) => {
    await database.run(`${PRICES} drop view if exists odd`).catch(() => {});
    await database.run(`do $$ begin execute 'drop view if exists odd'; exception when others then null; end $$;
      do $$ begin execute 'drop table if exists odd cascade'; exception when others then null; end $$;
      drop table if exists below; ${PRICES} ${script}`);
    const source = postgresSource({
      client: database.client,
      select: 'select id, amount from prices',
      key: 'id',
      follow: { odd: 'key' },
      followBy: 'xmin',
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await mirror.refresh();
    expect(mirror.rounds).toEqual({ delta: 0, snapshot: 2, resync: 0 });
    expect(source.status()).toMatchObject({
      tier: 'snapshot',
      reason: expect.stringContaining(reason),
      limits: 'a change is seen by the next refresh, and every refresh reads the whole SELECT',
    });
    await database.run(`do $$ begin execute 'drop view if exists odd'; exception when others then null; end $$`);
  });
});
