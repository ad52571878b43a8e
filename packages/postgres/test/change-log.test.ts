/** What is logged when a table that is followed is written to. */
import { PGlite } from '@electric-sql/pglite';
import { expect, test } from 'vitest';
import { embeddedDirectory } from '../../../test/support/embedded-directory.ts';
import { installScript } from '../src/change-log/scripts.ts';
import { parseTables } from '../src/change-log/table-list.ts';
import { useChangeLog } from './use-change-log.ts';

const TABLES = `
  create table tools (id int primary key, name text);
  create table agents (id int primary key);
  create table agent_tools (agent_id int references agents on delete cascade, tool_id int, place int,
    primary key (tool_id, agent_id));
  create table notes (a text, b text, primary key (a, b));
  create table moments (at timestamptz, size float8, bytes bytea, spent interval, primary key (at, size, bytes, spent));
  create table colors (color text primary key);
  create table bulk (id int primary key, n int);
  create schema "Odd, (schema)";
  create table "Odd, (schema)"."Tab""le" ("The id" int primary key, "Who?" text);`;

const FOLLOWED = `tools, public.agent_tools(agent_id), notes, moments, colors, bulk,
  "Odd, (schema)"."Tab""le"("Who?")`;

const database = useChangeLog(TABLES, installScript(parseTables(FOLLOWED)!));
const { logged, run, rows, connect } = database;

test('a table list that is none is not understood, and plain names are in lower case', () => {
  for (const text of ['', ' ', 'a b', 'a,', ',a', 'a.b.c', 'a()', 'a(b', 'a(b.c)', '"a']) {
    expect(parseTables(text), text).toBeUndefined();
  }
  expect(parseTables('Public.Tools ( A , "B, c" ),x')).toEqual([
    { name: 'Public.Tools', columns: ['a', 'B, c'] },
    { name: 'x', columns: [] },
  ]);
});

test('an inserted, updated and deleted row is logged by its key', async () => {
  expect(await logged(`insert into tools values (1, 'one'), (2, 'two')`)).toEqual([
    'U public.tools 1',
    'U public.tools 2',
  ]);
  expect(await logged(`update tools set name = 'uno' where id = 1`)).toEqual(['U public.tools 1']);
  expect(await logged('delete from tools where id = 2')).toEqual(['D public.tools 2']);
});

test('an upsert and a MERGE are logged once for each row', async () => {
  await run(`insert into tools values (10, 'old')`);
  const upsert = `insert into tools values (10, 'new'), (11, 'new') on conflict (id) do update set name = excluded.name`;
  expect(await logged(upsert)).toEqual(['U public.tools 10', 'U public.tools 11']);
  const merge = `merge into tools using (values (10), (11), (12)) as v(id) on tools.id = v.id
    when matched and v.id = 10 then delete when matched then update set name = 'merged'
    when not matched then insert values (v.id, 'merged')`;
  expect(await logged(merge)).toEqual(['D public.tools 10', 'U public.tools 11', 'U public.tools 12']);
});

test('a changed key is logged as gone and as written, a swapped one as written', async () => {
  await run(`insert into tools values (20, 'a'), (21, 'b'), (22, 'c')`);
  expect(await logged('update tools set id = 29 where id = 22')).toEqual(['D public.tools 22', 'U public.tools 29']);
  await run('alter table tools drop constraint tools_pkey; alter table tools add primary key (id) deferrable');
  expect(await logged('update tools set id = 41 - id where id in (20, 21)')).toEqual([
    'U public.tools 20',
    'U public.tools 21',
  ]);
});

test('a key that changes to an equal one of other characters is another key', async () => {
  await run(`create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    create table names (name text collate any_case primary key); insert into names values ('a'), ('b');
    select evercache.follow('names')`);
  expect(await logged(`update names set name = 'A' where name = 'a'`)).toEqual([
    'D public.names a',
    'U public.names A',
  ]);
  expect(await logged('update names set name = upper(name)')).toEqual([
    'D public.names b',
    'U public.names A',
    'U public.names B',
  ]);
});

test('a statement that writes the same row twice hides none of the other rows', async () => {
  // All actions of the foreign keys of one statement are one statement for the triggers of the other table.
  await run(`create table people (id int primary key); insert into people select generate_series(1, 9);
    create table messages (id int primary key,
      sender int references people on delete set null on update cascade,
      recipient int references people on delete set null on update cascade);
    insert into messages values (5, 1, 2), (6, 3, 9), (7, 9, 3); select evercache.follow('messages')`);
  const written = [1, 1, 2, 3].map((n) => `U public.messages ${n === 1 ? 5 : n + 4}`);
  expect(await logged('update people set id = id + 100 where id < 4')).toEqual(written);
  expect(await logged('delete from people where id > 100')).toEqual(written);
  await run(`select evercache.follow('messages', array['sender']); update messages set (sender, recipient) = (4, 5) where id = 5;
    update messages set (sender, recipient) = (6, 6) where id > 5`);
  expect(
    new Set((await logged('delete from people where id in (4, 5, 6)')).map((entry) => entry.split(' ')[2])),
  ).toEqual(new Set(['5', '6', '7']));
});

test('a deferred key that two rows have for a while hides none of the other rows', async () => {
  await run(
    `create table later (id int primary key deferrable initially deferred, n int); select evercache.follow('later')`,
  );
  expect(
    await logged(`begin; insert into later values (1, 1), (1, 2), (2, 3); delete from later where n = 1; commit`),
  ).toEqual(['D public.later 1', 'U public.later 1', 'U public.later 1', 'U public.later 2']);
  await run(`insert into later values (3, 0), (4, 0)`);
  expect(
    await logged(`begin; update later set id = 5 where id in (3, 4); update later set id = n + 6 where id = 5;
      update later set id = 8 where id = 1; delete from later where ctid = (select min(ctid) from later where id = 6); commit`),
  ).toContain('U public.later 8');
});

test('a statement that changes nothing is not logged, and takes no transaction id', async () => {
  const client = await connect();
  await client.query('begin');
  expect(await logged('select 1')).toEqual([]);
  for (const statement of [
    'update tools set id = 0 where false',
    'delete from tools where false',
    'insert into tools select 1 where false',
  ]) {
    await client.query(statement);
  }
  expect((await client.query('select pg_current_xact_id_if_assigned() as id')).rows).toEqual([{ id: null }]);
  await client.query('commit');
  expect(await rows('select * from evercache.change_log')).toEqual([]);
});

test('what is rolled back is not logged, and savepoints log under the transaction they are part of', async () => {
  expect(await logged(`begin; insert into tools values (30, 'x'); rollback`)).toEqual([]);
  const script = `begin;
    savepoint one; insert into tools values (31, 'x'); rollback to one;
    savepoint two; insert into tools values (32, 'x'); release two;
    create temp table transaction_id on commit drop as select pg_current_xact_id() as id;
    insert into tools select 33, id::text from transaction_id; commit`;
  expect(await logged(script)).toEqual(['U public.tools 32', 'U public.tools 33']);
  const [{ ids, own }] = (await rows(`select array_agg(distinct xid::text) as ids,
    (select name from tools where id = 33) as own from evercache.change_log`)) as [{ ids: string[]; own: string }];
  expect(ids).toEqual([own]);
});

test('TRUNCATE logs a resync', async () => {
  expect(await logged('truncate colors, notes')).toEqual(['R public.colors', 'R public.notes']);
});

test.each([
  ['an insert', 'insert into bulk select 10000 + n, 0 from generate_series(1, $1) as n', 1],
  ['an update', 'update bulk set n = 1 where id <= $1', 1],
  ['an update of keys', 'update bulk set id = -id where id <= $1', 2],
  ['a delete', 'delete from bulk where id <= $1', 1],
])('%s of 5,000 rows is logged row by row, of one more as a resync', async (_, statement, entriesPerRow) => {
  const filled = 'truncate bulk; insert into bulk select n, 0 from generate_series(1, 5001) as n';
  await run(filled);
  const entries = await logged(statement.replace('$1', '5000'));
  expect(entries).toHaveLength(5000 * entriesPerRow);
  expect(new Set(entries).size).toBe(entries.length);
  await run(filled);
  expect(await logged(statement.replace('$1', '5001'))).toEqual(['R public.bulk']);
});

test('a key of several columns is what JSON.stringify makes of their texts, in the order of the key', async () => {
  const odd = ['', 'a"b\\c', "it's, [1]", '\b\f\n\r\t\u0001\u001f\u007f', 'é\u2028😀/<>&', 'null'];
  const client = await connect();
  await run('delete from evercache.change_log');
  for (const text of odd) await client.query('insert into notes values ($1, $2)', [text, '7']);
  const keys = await rows<{ key: string }>('select key from evercache.change_log');
  expect(keys.map(({ key }) => key).sort()).toEqual(odd.map((text) => JSON.stringify([text, '7'])).sort());
});

test('extra columns are logged of old and of new rows, and when rows go with those they refer to', async () => {
  await run('insert into agents values (1), (2)');
  expect(await logged('insert into agent_tools values (1, 7, 0)')).toEqual([
    'U public.agent_tools ["7","1"] {"agent_id":"1"}',
  ]);
  expect(await logged('update agent_tools set place = 1')).toEqual(['U public.agent_tools ["7","1"] {"agent_id":"1"}']);
  expect(await logged('update agent_tools set agent_id = 2')).toEqual([
    'D public.agent_tools ["7","1"] {"agent_id":"1"}',
    'U public.agent_tools ["7","2"] {"agent_id":"2"}',
  ]);
  expect(await logged('delete from agents where id = 2')).toEqual(['D public.agent_tools ["7","2"] {"agent_id":"2"}']);
});

test('names may hold anything, and a row that stays is written, whatever its extra columns were', async () => {
  const name = `"Odd, (schema)"."Tab""le"`;
  expect(await logged(`insert into ${name} values (1, null)`)).toEqual([`U ${name} 1 {"Who?":null}`]);
  expect(await logged(`update ${name} set "Who?" = 'me'`)).toEqual([
    `U ${name} 1 {"Who?":"me"}`,
    `U ${name} 1 {"Who?":null}`,
  ]);
});

test('a name that ends the text of a function is a name', async () => {
  await run(`create table quoted ("$log$" int primary key, "$create$ ' %s" int);
    select evercache.follow('quoted', array['$create$ '' %s'])`);
  expect(await logged('insert into quoted values (1, 2)')).toEqual([`U public.quoted 1 {"$create$ ' %s":"2"}`]);
});

test('the text of a key does not depend on the session that writes', async () => {
  const script = `insert into moments values ('2024-02-29 12:00:00.5+00', 0.1::float8 + 0.2, '\\x00ff', '1 day 2 hours')`;
  const settings = `set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set extra_float_digits = 0;
    set bytea_output = 'escape'; set intervalstyle = 'postgres_verbose';`;
  const key = JSON.stringify(['2024-02-29 12:00:00.5+00', '0.30000000000000004', '\\x00ff', 'P1DT2H']);
  expect(await logged(`${settings} ${script}; reset all`)).toEqual([`U public.moments ${key}`]);
});

test('what a session writes that restores or replicates is logged too', async () => {
  const script = `set session_replication_role = replica; insert into colors values ('red'); truncate colors;
    reset session_replication_role`;
  expect(await logged(script)).toEqual(['R public.colors', 'U public.colors red']);
});

/** What a writer could put in the way of every name that a trigger function uses. */
const TRAPS = `
  create function trap.yes(text, text) returns boolean language sql as $$ select true $$;
  create operator trap.= (leftarg = text, rightarg = text, function = trap.yes);
  create function trap.yes(record, record) returns boolean language plpgsql as $$ begin return true; end $$;
  create operator trap.= (leftarg = record, rightarg = record, function = trap.yes);
  create function trap.yes(bigint, int) returns boolean language sql as $$ select true $$;
  create operator trap.> (leftarg = bigint, rightarg = int, function = trap.yes);
  create function trap.yes(bigint, bigint) returns boolean language sql as $$ select true $$;
  create operator trap.< (leftarg = bigint, rightarg = bigint, function = trap.yes);
  create function trap.lost(text, text) returns text language sql as $$ select 'trapped' $$;
  create operator trap.|| (leftarg = text, rightarg = text, function = trap.lost);
  create function trap.none(bigint, text) returns bigint language sql as $$ select 0::bigint $$;
  create aggregate trap.count(text) (sfunc = trap.none, stype = bigint, initcond = '0');
  create function trap.pg_typeof(int) returns regtype language sql as $$ select null::regtype $$;
  create function trap.quote_ident(name) returns text language sql as $$ select 'trapped' $$;
  create function trap.to_json(text) returns json language sql as $$ select '"trapped"'::json $$;
  create function trap.jsonb_build_object(text, text) returns jsonb language sql as $$ select '{}'::jsonb $$;
  create domain trap.text as pg_catalog.text check (false);
  create domain trap.jsonb as pg_catalog.jsonb check (false);
  create domain trap."char" as pg_catalog."char" check (false);
  create domain pg_temp.text as pg_catalog.text check (false);
  create temp table new_rows (id text); create temp table old_rows (id text); create temp table change_log (tbl text)`;

test('a writer needs no rights on the log, and cannot lead the log astray', async () => {
  const name = `writer_${process.pid}`;
  await run(`create table trusted (a int, b int, n int, primary key (a, b)); select evercache.follow('trusted', array['n']);
    create role ${name}; grant insert, update, delete, truncate, select on tools, trusted to ${name};
    create schema trap authorization ${name}`);
  const writer = await connect(name);
  await writer.query(TRAPS);
  await writer.query('set search_path = trap, public, pg_catalog');
  const logs = async (statement: string): Promise<string[]> => {
    await run('delete from evercache.change_log');
    await writer.query(statement);
    const entries = await rows<{ entry: string }>(
      `select concat_ws(' ', op, tbl, key, columns) as entry from evercache.change_log order by 1`,
    );
    return entries.map(({ entry }) => entry);
  };
  expect(await logs(`insert into public.tools values (50, 'x')`)).toEqual(['U public.tools 50']);
  expect(await logs(`update public.tools set id = 51 where id = 50`)).toEqual([
    'D public.tools 50',
    'U public.tools 51',
  ]);
  expect(await logs('insert into public.trusted values (1, 1, 1), (1, 2, 1)')).toEqual([
    'U public.trusted ["1","1"] {"n": "1"}',
    'U public.trusted ["1","2"] {"n": "1"}',
  ]);
  expect(await logs('update public.trusted set n = 1 where b = 1')).toEqual(['U public.trusted ["1","1"] {"n": "1"}']);
  expect(await logs('update public.trusted set n = 2 where b = 2')).toEqual([
    'U public.trusted ["1","2"] {"n": "1"}',
    'U public.trusted ["1","2"] {"n": "2"}',
  ]);
  expect(await logs('update public.trusted set a = 2 where b = 1')).toEqual([
    'D public.trusted ["1","1"] {"n": "1"}',
    'U public.trusted ["2","1"] {"n": "1"}',
  ]);
  expect(await logs('delete from public.trusted where a = 2')).toEqual(['D public.trusted ["2","1"] {"n": "1"}']);
  expect(await logs('truncate public.trusted')).toEqual(['R public.trusted']);
  for (const statement of [
    'select * from evercache.change_log',
    `insert into evercache.change_log (tbl, op) values ('', 'U')`,
  ]) {
    await expect(writer.query(statement)).rejects.toThrow('permission denied for schema evercache');
  }
  // What makes a text of a key may look for names itself, and writes some as the search path has them.
  await run(`create schema app; grant usage on schema app to public; create type app.pair as (a text, b text);
    create function app.text_of(app.pair) returns text language sql as $$ select ($1).a || '/' || ($1).b $$;
    create cast (app.pair as text) with function app.text_of(app.pair);
    create type app.mood as enum ('ok');
    create function app.text_of(app.mood) returns text language plpgsql as $$ begin return upper(enum_out($1)::text); end $$;
    create cast (app.mood as text) with function app.text_of(app.mood);
    create table pairs (id app.pair primary key); create table moods (id app.mood primary key);
    create table classes (id regclass primary key);
    select evercache.follow('pairs'), evercache.follow('moods'), evercache.follow('classes');
    grant insert on pairs, moods, classes to ${name}`);
  await writer.query(`create function trap.upper(text) returns text language sql as $$ select 'trapped' $$`);
  expect(await logs(`insert into public.pairs values (row('1', '2'))`)).toEqual(['U public.pairs 1/2']);
  expect(await logs(`insert into public.moods values ('ok')`)).toEqual(['U public.moods OK']);
  expect(await logs(`set quote_all_identifiers = on; insert into public.classes values ('public.tools')`)).toEqual([
    'U public.classes public.tools',
  ]);
  await writer.end();
  await run(
    `drop table pairs, moods, classes; drop schema app cascade; drop table trusted; drop schema trap cascade; drop owned by ${name}; drop role ${name}`,
  );
});

test('columns may have the names that a trigger function uses', async () => {
  const names = ['r', 'c', 'key', 'columns', 'total', 'known', 'found', 'lacking', 'new_rows', 'old_rows', 'op', 'tbl'];
  await run(`create table words (${names.map((name) => `${name} int`).join(', ')}, primary key (r, new_rows, total));
    select evercache.follow('words', array['${names.join("', '")}', 'r'])`);
  const columns = (n: number) => Object.fromEntries(names.map((name) => [name, String(n)]));
  const values = (n: number) => `(${names.map(() => n).join(', ')})`;
  const written = await logged(`insert into words values ${values(1)}, ${values(2)}`);
  expect(written.map((entry) => entry.slice(0, entry.indexOf('{')))).toEqual([
    'U public.words ["1","1","1"] ',
    'U public.words ["2","2","2"] ',
  ]);
  expect(written.map((entry) => JSON.parse(entry.slice(entry.indexOf('{'))))).toEqual([columns(1), columns(2)]);
  expect(await logged('update words set c = 1 where r = 1')).toHaveLength(1);
});

test('columns that come, go and change their type are followed in a session that has written before', async () => {
  await run(`create table shapes (first int, id int primary key, last int); insert into shapes values (1, 2, 3);
    select evercache.follow('shapes'); update shapes set last = 4`);
  expect(await logged('alter table shapes drop column first; update shapes set last = 5')).toEqual([
    'U public.shapes 2',
  ]);
  expect(await logged('alter table shapes add column more int default 9; update shapes set last = 6')).toEqual([
    'U public.shapes 2',
  ]);
  expect(await logged(`alter table shapes alter id type text using 'n' || id; update shapes set last = 7`)).toEqual([
    'U public.shapes n2',
  ]);
});

test('a key column with another name costs resyncs, never the write, until the table is followed again', async () => {
  await run(`create table renamed (id int primary key, n int); insert into renamed values (1, 1);
    select evercache.follow('renamed'); update renamed set n = 2`);
  expect(await logged('alter table renamed rename id to number; update renamed set n = 3')).toEqual([
    'R public.renamed',
  ]);
  expect(await rows('select n from renamed')).toEqual([{ n: 3 }]);
  for (const statement of ['insert into renamed values (2, 2)', 'delete from renamed where number = 2']) {
    expect(await logged(statement)).toEqual(['R public.renamed']);
  }
  expect(await logged('update renamed set n = 3 where false')).toEqual([]);
  await run(`select evercache.follow('renamed')`);
  expect(await logged('update renamed set n = 4')).toEqual(['U public.renamed 1']);
});

test('an extra column that is gone or has another name costs resyncs, never the write', async () => {
  await run(`create table fewer (id int primary key, n int, "Other one" int); insert into fewer values (1, 1, null);
    select evercache.follow('fewer', array['n', 'Other one']); update fewer set n = 2`);
  expect(await logged('alter table fewer rename "Other one" to another; update fewer set n = 3')).toEqual([
    'R public.fewer',
  ]);
  expect(await logged('insert into fewer values (2, 2, 2), (3, 3, 3)')).toEqual(['R public.fewer']);
  await run(`select evercache.follow('fewer', array['n', 'another'])`);
  expect(await logged('update fewer set n = 4 where id = 1')).toEqual([
    'U public.fewer 1 {"n":"3","another":null}',
    'U public.fewer 1 {"n":"4","another":null}',
  ]);
  expect(await logged('alter table fewer drop n; delete from fewer where id = 1')).toEqual(['R public.fewer']);
  expect(await rows('select id from fewer order by id')).toEqual([{ id: 2 }, { id: 3 }]);
});

test('the key may become one of a type whose comparison is nowhere in the search path', async () => {
  await run(`create schema elsewhere; create type elsewhere.pair as (a int, b int);
    create table typed (id int primary key, n int); insert into typed values (1, 1); select evercache.follow('typed');
    update typed set n = 2`);
  const alter = 'alter table typed alter id type elsewhere.pair using row(id, id)::elsewhere.pair';
  expect(await logged(`${alter}; update typed set n = 3`)).toEqual(['U public.typed (1,1)']);
});

test('is the same on PGlite', async () => {
  await using pglite = new PGlite(embeddedDirectory());
  await pglite.exec('create table tools (id int primary key, name text)');
  await pglite.exec(installScript(parseTables('tools')!));
  await pglite.exec(`insert into tools values (1, 'one'); update tools set id = 2; truncate tools`);
  const { rows: entries } = await pglite.query('select key, op from evercache.change_log order by at, op');
  expect(entries).toEqual([
    { key: null, op: 'R' },
    { key: '1', op: 'U' },
    { key: '1', op: 'D' },
    { key: '2', op: 'U' },
    { key: null, op: 'R' },
  ]);
});
