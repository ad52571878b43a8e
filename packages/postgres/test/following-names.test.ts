/** Tables that are renamed, exchanged or written to past their triggers while they are followed. */
import type { Pool } from 'pg';
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { hasPostgres } from '../../../test/support/use-postgres.ts';
import { postgresSource } from '../src/index.ts';
import { CHANGE_LOG, Mirror, PRICES } from './mirror.ts';
import { openClient, useClient } from './use-client.ts';

const STRANGER = `names_stranger_${process.pid}`;

const database = useClient(
  'pg',
  `create role ${STRANGER};
    do $$ begin execute format('grant create on database %I to ${STRANGER}', current_database()); end $$; ${CHANGE_LOG}`,
);
afterAll(async () => {
  if (hasPostgres()) await database.run(`drop owned by ${STRANGER} cascade; drop role ${STRANGER}`);
});

beforeEach(() =>
  database.run(`drop schema if exists odd cascade; drop table if exists other, child, parent cascade; ${PRICES}`),
);

function prices(table = 'prices') {
  const source = postgresSource({
    client: database.client,
    select: `select id, amount from ${table}`,
    key: 'id',
    follow: { [table]: 'key' },
  });
  return { source, mirror: new Mirror(source) };
}

test.each([
  ['quotes all names', `set quote_all_identifiers = on; update prices set amount = 0 where id = 1; reset all`],
  [
    'renames the table and back again',
    `begin; alter table prices rename to other; update other set amount = 0 where id = 1; alter table other rename to prices;
     commit`,
  ],
  [
    'moves the table to another schema and back again',
    `begin; create schema odd; alter table prices set schema odd; update odd.prices set amount = 0 where id = 1;
     alter table odd.prices set schema public; commit`,
  ],
])('a session that %s is heard of', async (_, script) => {
  const { mirror } = prices();
  await mirror.refresh();
  await database.run(script);
  expect([await mirror.refresh(), mirror.changes, mirror.rows.get('1')]).toEqual(['delta', '+1', { id: 1, amount: 0 }]);
});

test('a table is followed by a session that quotes all names, and so are those that were followed before', async () => {
  await database.run(`create table other (id int primary key, amount int); set quote_all_identifiers = on;
    select evercache.follow('other'); select evercache.unfollow('other'); select evercache.follow('other'); reset all`);
  for (const table of ['prices', 'other']) {
    const { mirror } = prices(table);
    await mirror.refresh();
    await database.run(`insert into ${table} values (1000, 0)`);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+1000']);
  }
});

test('tables that have exchanged their names are not followed until they are installed again', async () => {
  const { source, mirror } = prices();
  await database.run(`create table other (like prices including all); select evercache.follow('other')`);
  await mirror.refresh();
  await database.run(`begin; alter table prices rename to former; alter table other rename to prices;
    alter table former rename to other; commit`);
  await mirror.refresh();
  expect(source.status()).toMatchObject({
    tier: 'snapshot',
    reason: expect.stringMatching(/^table public.prices is logged under another name/),
  });
  await database.run('insert into prices values (7, 7)');
  await mirror.refresh();
  expect([...mirror.rows.keys()]).toEqual(['7']);
  await database.run(`select evercache.follow('prices'), evercache.follow('other')`);
  await mirror.refresh();
  await database.run('insert into prices values (8, 8); insert into other values (1001, 8)');
  expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+8']);
});

test.each([
  ['has children since', 'create table child () inherits (prices)', /shares its rows/],
  [
    'has a parent since',
    'create table parent (id int, amount int, hidden boolean not null); alter table prices inherit parent',
    /shares its rows/,
  ],
  [
    'is a partition since',
    `create table parent (like prices) partition by range (id); alter table parent add primary key (id);
     alter table parent attach partition prices default`,
    /shares its rows/,
  ],
  ['has another type of key since', 'alter table prices alter id type date using current_date + id', /not those/],
])('a table that %s is not followed', async (_, script, reason) => {
  const { source, mirror } = prices();
  await mirror.refresh();
  await database.run(script);
  await mirror.refresh();
  expect(source.status()).toMatchObject({ tier: 'snapshot', reason: expect.stringMatching(reason) });
});

test('a table that a subscription writes to since is not followed', async () => {
  const { source, mirror } = prices();
  await mirror.refresh();
  await database.run(`create subscription names connection 'host=nowhere' publication p with (connect = false);
    insert into pg_subscription_rel select oid, 'prices'::regclass, 'r' from pg_subscription where subname = 'names';
      alter subscription names enable`);
  onTestFinished(() =>
    database.run(
      'alter subscription names disable; alter subscription names set (slot_name = none); drop subscription names',
    ),
  );
  await mirror.refresh();
  expect(source.status()).toMatchObject({ tier: 'snapshot', reason: expect.stringMatching(/by a subscription/) });
});

test.each([
  ['a view', 'alter table evercache.meta rename to own; create view evercache.meta as select * from evercache.own'],
  ['a table with policies', 'alter table evercache.tables enable row level security'],
  ['a table of somebody else', `alter table evercache.change_log owner to ${STRANGER}`],
  [
    'a column of a type of somebody else',
    `create type evercache.odd as (a int); alter table evercache.meta drop version, add version evercache.odd`,
  ],
  ['a column that an older installation lacks', 'alter table evercache.tables drop types'],
])('a log of which one part is %s is not read', async (_, script) => {
  const { source, mirror } = prices();
  await database.run(`begin; ${script}; commit`);
  onTestFinished(() => database.run(`drop schema evercache cascade; ${CHANGE_LOG}`));
  await mirror.refresh();
  expect(source.status()).toMatchObject({
    tier: 'snapshot',
    reason: 'the tables in schema evercache are not those of this change log: install it again',
  });
});

test('a log of a role that does not own the table is not followed', async () => {
  await database.run(`drop schema evercache cascade; set role ${STRANGER}; ${CHANGE_LOG}; reset role;
    insert into evercache.tables (tbl, key_columns, columns) values ('public.prices', '{id}', '{}')`);
  onTestFinished(() => database.run(`drop schema evercache cascade; ${CHANGE_LOG}`));
  const { source, mirror } = prices();
  await mirror.refresh();
  expect(source.status()).toMatchObject({
    tier: 'snapshot',
    reason: expect.stringMatching(/^the change log belongs to a role that does not own table public.prices/),
  });
});

test.each([
  ['int to bigint', 'alter table prices alter id type bigint'],
  ['varchar to text', 'alter table prices add code varchar(9); alter table prices alter code type text'],
])('a type that is changed from %s keeps the table followed', async (_, script) => {
  await database.run(`alter table prices add note varchar(5); select evercache.follow('prices', '{note}')`);
  const { source, mirror } = prices();
  await mirror.refresh();
  await database.run(script);
  await mirror.refresh();
  await database.run('update prices set amount = -1 where id = 2');
  expect([source.status().tier, await mirror.refresh(), mirror.changes]).toEqual(['change log', 'delta', '+2']);
});

test('a subscription that is off writes nothing, so the table is followed', async () => {
  await database.run(`create subscription off connection 'host=nowhere' publication p with (connect = false);
    insert into pg_subscription_rel select oid, 'prices'::regclass, 'r' from pg_subscription where subname = 'off'`);
  onTestFinished(() => database.run('alter subscription off set (slot_name = none); drop subscription off'));
  const { source, mirror } = prices();
  await mirror.refresh();
  expect(source.status()).toMatchObject({ tier: 'change log' });
});

test('an older installation is mended by installing again', async () => {
  await database.run('alter table evercache.tables drop types');
  await database.run(`${CHANGE_LOG}; select evercache.follow('prices')`);
  const { source, mirror } = prices();
  await mirror.refresh();
  expect(source.status()).toMatchObject({ tier: 'change log' });
});

test.each(['log', 'xmin'] as const)(
  'by %s a table of the same name that comes first in the search path is read',
  async (followBy) => {
    const source = postgresSource({
      client: database.client,
      select: 'select id, amount from prices',
      key: 'id',
      follow: { prices: 'key' },
      followBy,
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    onTestFinished(() => database.run('drop schema postgres cascade'));
    await database.run('create schema postgres; create table postgres.prices (like public.prices including all)');
    await database.run('insert into postgres.prices select id, 7 from public.prices');
    expect([await mirror.refresh(), mirror.rows.get('1')]).toEqual(['resync', { id: 1, amount: 7 }]);
    await database.run('update postgres.prices set amount = 8 where id = 1');
    await mirror.refresh();
    expect(mirror.rows.get('1')).toEqual({ id: 1, amount: 8 });
  },
);

test('a session that takes backslashes for escapes follows', async () => {
  const odd = openClient('pg', (database.client as Pool).options.connectionString!, {
    standard_conforming_strings: 'off',
  });
  onTestFinished(() => odd.close());
  const source = postgresSource({
    client: odd.client,
    select: 'select id, amount from prices',
    key: 'id',
    follow: { prices: 'key' },
  });
  const mirror = new Mirror(source);
  await mirror.refresh();
  expect([await mirror.refresh(), source.status().tier]).toEqual(['delta', 'change log']);
});
