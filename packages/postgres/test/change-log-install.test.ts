/** Installing, mending and removing the change log, and who may do what with it. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { installScript, unfollowScript, uninstallScript } from '../src/change-log/scripts.ts';
import { parseTables } from '../src/change-log/table-list.ts';
import { useChangeLog } from './use-change-log.ts';

const OWNER = `log_owner_${process.pid}`;
const READER = `log_reader_${process.pid}`;
const STRANGER = `log_stranger_${process.pid}`;

const install = (tables: string, reader?: string): string => installScript(parseTables(tables)!, reader);

describe('installing', () => {
  const { connect, logged, run, rows } = useChangeLog(
    'create table a (id int primary key, n int); create table b (like a including all)',
  );
  const followed = () => rows('select tbl, key_columns, columns from evercache.tables order by tbl');

  test('leaves one log when four do it at once', async () => {
    const sessions = await Promise.all(Array.from({ length: 4 }, () => connect()));
    await Promise.all(sessions.map((session) => session.query(install('a,b(n)'))));
    expect(await followed()).toEqual([
      { tbl: 'public.a', key_columns: ['id'], columns: [] },
      { tbl: 'public.b', key_columns: ['id'], columns: ['n'] },
    ]);
    expect(await rows('select version from evercache.meta')).toEqual([{ version: 1 }]);
    expect(await logged('insert into a values (1, 1); insert into b values (1, 1)')).toEqual([
      'U public.a 1',
      'U public.b 1 {"n":"1"}',
    ]);
  });

  test('again adds tables, keeps the log and the floor, and marks what it touched', async () => {
    await run('create table c (id int primary key); update a set n = 2');
    const [before] = await rows('select floor::text from evercache.meta');
    await run(install('c,a(n)'));
    expect(await followed()).toMatchObject([
      { tbl: 'public.a', columns: ['n'] },
      { tbl: 'public.b' },
      { tbl: 'public.c' },
    ]);
    expect(await rows('select floor::text from evercache.meta')).toEqual([before]);
    const marks = await rows(`select tbl from evercache.change_log where op = 'R' order by tbl`);
    expect(marks).toEqual([{ tbl: 'public.a' }, { tbl: 'public.c' }]);
    expect(await rows(`select key from evercache.change_log where op = 'U' and tbl = 'public.a'`)).toHaveLength(2);
  });

  test('waits for who writes at the moment, and their change comes before its mark', async () => {
    await run(unfollowScript(parseTables('a')!));
    await run('delete from evercache.change_log');
    const [writer, installer] = [await connect(), await connect()];
    await writer.query('begin; update a set n = 3');
    let installed = false;
    const installing = installer.query(install('a')).then(() => {
      installed = true;
    });
    await expect
      .poll(() => rows(`select 1 from pg_locks where not granted and relation = 'a'::regclass`), { interval: 10 })
      .toHaveLength(1);
    expect(installed).toBe(false);
    await writer.query('commit');
    await installing;
    expect(await rows('select tbl, op from evercache.change_log')).toEqual([{ tbl: 'public.a', op: 'R' }]);
  });

  test('lets those it waits for go on writing, and everybody read the log', async () => {
    const [writer, installer, reader] = [await connect(), await connect(), await connect()];
    await run(install('a,b'));
    await writer.query('begin; update a set n = 4');
    const installing = installer.query(install('a,b'));
    await expect
      .poll(() => rows(`select 1 from pg_locks where not granted and relation = 'a'::regclass`), { interval: 10 })
      .toHaveLength(1);
    await reader.query(`set lock_timeout = '1s'; select * from evercache.change_log, evercache.tables, evercache.meta;
      select evercache.prune()`);
    await writer.query('update a set n = 5; update b set n = 5; commit');
    await installing;
  });

  test('waits for who changes the primary key, and logs by the new one', async () => {
    await run('create table e (id int, code text not null); alter table e add primary key (id)');
    const [changer, installer] = [await connect(), await connect()];
    await changer.query('begin; alter table e drop constraint e_pkey; alter table e add primary key (code)');
    const installing = installer.query(`select evercache.follow('e')`);
    await expect
      .poll(() => rows(`select 1 from pg_locks where not granted and relation = 'e'::regclass`), { interval: 10 })
      .toHaveLength(1);
    await changer.query('commit');
    await installing;
    expect(await logged(`insert into e values (1, 'one')`)).toEqual(['U public.e one']);
  });

  test('ends with the transaction it is part of', async () => {
    const session = await connect();
    await session.query('begin');
    await session.query(`create table d (id int primary key); select evercache.follow('d'); insert into d values (1)`);
    await session.query('rollback');
    expect(await rows(`select * from evercache.tables where tbl = 'public.d'`)).toEqual([]);
    expect(await rows(`select * from evercache.change_log where tbl = 'public.d'`)).toEqual([]);
  });

  test.each([
    ['a table without a primary key', 'create table t (id int unique)', 'has no primary key'],
    ['a view', 'create view t as select 1 as id', 'is not a table'],
    ['a partitioned table', 'create table t (id int primary key) partition by range (id)', 'is partitioned'],
    [
      'a partition',
      'create table p (id int primary key) partition by range (id); create table t partition of p default',
      'is a partition',
    ],
    [
      'a parent',
      'create table t (id int primary key); create table p () inherits (t)',
      'has tables that inherit from it',
    ],
    [
      'a child',
      'create table p (id int); create table t (primary key (id)) inherits (p)',
      'inherits from another table',
    ],
    ['a table that a crash empties', 'create unlogged table t (id int primary key)', 'is unlogged'],
    ['a table of the session', 'create temp table t (id int primary key)', 'is temporary'],
  ])('refuses %s', async (_, script, reason) => {
    const session = await connect();
    await session.query(`begin; ${script}`);
    await expect(session.query(`select evercache.follow('t')`)).rejects.toThrow(
      new RegExp(`^cannot follow \\w+\\.t: it ${reason}$`),
    );
  });

  test('refuses what does not exist, and its own tables', async () => {
    await expect(run(`select evercache.follow('nowhere')`)).rejects.toThrow('relation "nowhere" does not exist');
    await expect(run(`select evercache.follow(null)`)).rejects.toThrow('there is no such table');
    await expect(run(`select evercache.follow('a', '{n,"no such"}')`)).rejects.toThrow(
      'cannot follow public.a: it has no column "no such"',
    );
    await expect(run(`select evercache.follow('evercache.tables')`)).rejects.toThrow('it is a system table');
  });

  test('refuses a virtual column, which no trigger sees', async ({ skip }) => {
    const [{ version }] = (await rows(`select current_setting('server_version_num')::int as version`)) as [
      { version: number },
    ];
    if (version < 180_000) skip('PostgreSQL has had them since 18');
    await run('create table g (id int primary key, twice int generated always as (id * 2) virtual)');
    await expect(run(`select evercache.follow('g', '{twice}')`)).rejects.toThrow(
      'cannot follow public.g: column twice is virtual, and the log does not see it',
    );
    await run(`alter table g drop twice, add twice int; select evercache.follow('g', '{twice}');
      alter table g drop twice, add twice int generated always as (id * 2) virtual`);
    expect(await rows('select * from evercache.problems()')).toEqual([
      { tbl: 'public.g', problem: 'has a virtual column twice: writes fail until it is followed without' },
    ]);
    await run(`select evercache.follow('g')`);
    expect(await logged('insert into g values (1)')).toEqual(['U public.g 1']);
  });

  test('adds what an early version of the log did not have', async () => {
    await run('alter table evercache.tables drop types');
    await run(install('a'));
    expect(await rows('select types from evercache.tables where types is not null')).toHaveLength(1);
    await run(install('b'));
  });

  test('refuses more columns than its function can take, since every write would fail', async () => {
    const names = Array.from({ length: 51 }, (_, index) => `c${index}`);
    await run(`create table broad (id int primary key, ${names.join(' int, ')} int)`);
    const follow = (columns: readonly string[]) => run(`select evercache.follow('broad', '{${columns.join(', ')}}')`);
    await expect(follow(names)).rejects.toThrow('cannot follow public.broad: it would log 51 columns, and 50 can be');
    await follow(names.slice(1));
    expect(await logged('insert into broad (id, c1) values (1, 2)')).toHaveLength(1);
  });

  test('refuses to go back behind a newer version', async () => {
    await run('update evercache.meta set version = 2');
    await expect(run(install('a'))).rejects.toThrow('a newer change log is installed: version 2, this is version 1');
    await run('rollback; update evercache.meta set version = 1');
  });
});

describe('what is wrong', () => {
  const { logged, run, rows } = useChangeLog(
    'create table t (id int primary key, n int, other int not null); create table u (like t including all)',
    install('t(n),u'),
  );
  const problems = async () =>
    (await rows<{ tbl: string; problem: string }>('select * from evercache.problems() order by 1, 2')).map(
      ({ tbl, problem }) => `${tbl} ${problem}`,
    );

  test.each([
    ['a disabled trigger', 'alter table t disable trigger evercache_update', ['has trigger evercache_update disabled']],
    [
      'a trigger that is off where session_replication_role is replica',
      'alter table t disable trigger evercache_update; alter table t enable trigger evercache_update',
      ['has trigger evercache_update not always enabled'],
    ],
    ['a dropped trigger', 'drop trigger evercache_delete on t', ['has no trigger evercache_delete']],
    [
      'another primary key',
      'alter table t drop constraint t_pkey; alter table t add primary key (other, id)',
      ['has another primary key: other, id'],
    ],
    [
      'a key of another type',
      'alter table t alter id type date using current_date + id',
      ['has columns of other types than when it was followed'],
    ],
    ['a logged column that is gone', 'alter table t rename n to m; alter table t add n int', []],
    [
      'a table that is not listed any more',
      `delete from evercache.tables where tbl = 'public.t'`,
      ['has triggers, but is not listed'],
    ],
  ])('%s is found, and mended by following the table again', async (_, script, expected) => {
    await run(script);
    expect(await problems()).toEqual(expected.map((problem) => `public.t ${problem}`));
    await run(`select evercache.follow('t', '{n}')`);
    expect(await problems()).toEqual([]);
  });

  test('a logged column with another name is found', async () => {
    await run('alter table t rename n to m2');
    expect(await problems()).toEqual(['public.t has no column n']);
    await run(`alter table t rename m2 to n`);
  });

  test('a table with another name is found, logs under the old one, and is listed again by installing', async () => {
    expect(await logged('alter table u rename to v; insert into v values (1, 1, 1)')).toEqual(['U public.u 1']);
    expect(await problems()).toEqual([
      'public.u is gone or has another name',
      'public.v had another name, and is logged as public.u',
    ]);
    expect(await logged(`select evercache.follow('v')`)).toEqual(['R public.u', 'R public.v']);
    expect(await problems()).toEqual([]);
  });

  test('a table that took the place of another is found', async () => {
    await run('create table w (like v including all); alter table v rename to v_old; alter table w rename to v');
    expect(await problems()).toContain('public.v has no trigger evercache_insert');
    expect(await problems()).toContain('public.v_old had another name, and is logged as public.v');
    await run(`select evercache.follow('v'); select evercache.unfollow('v_old')`);
    expect(await problems()).toEqual([]);
    expect(await logged('insert into v values (1, 1, 1); insert into v_old values (2, 1, 1)')).toEqual([
      'U public.v 1',
    ]);
  });

  test('a dropped table is forgotten with all that was its own', async () => {
    await run('drop table v');
    expect(await problems()).toEqual(['public.v is gone or has another name']);
    expect(await logged(`select evercache.follow('t')`)).toEqual(['R public.t', 'R public.v']);
    expect(await rows('select tbl from evercache.tables')).toEqual([{ tbl: 'public.t' }]);
    expect(
      await rows(
        `select proname from pg_proc where proname like 'log\\_%' and pronamespace = 'evercache'::regnamespace`,
      ),
    ).toHaveLength(4);
  });

  test('a table that a subscription writes to is found', async () => {
    await run(`create subscription s connection 'host=nowhere' publication p with (connect = false);
      insert into pg_subscription_rel select oid, 't'::regclass, 'r' from pg_subscription where subname = 's';
      alter subscription s enable`);
    onTestFinished(() =>
      run(`alter subscription s disable; alter subscription s set (slot_name = none); drop subscription s`),
    );
    expect(await problems()).toEqual([
      'public.t is written to by a subscription, and that fires no triggers of statements',
    ]);
  });

  test('a table that became a parent is found', async () => {
    await run('create table child () inherits (t)');
    expect(await problems()).toEqual(['public.t has tables that inherit from it']);
    await run('drop table child');
  });

  test('in a restored database, functions with the number of another table are left alone', async () => {
    await run('create table x (id int primary key); create table y (number int primary key)');
    await run(`select evercache.follow('x')`);
    await run(`do $$ declare event text; begin
      foreach event in array array['insert', 'update', 'delete', 'truncate'] loop
        execute format('alter function evercache.log_%1$s_%3$s rename to log_%2$s_%3$s', 'x'::regclass::oid, 'y'::regclass::oid, event);
      end loop; end $$`);
    await run(`select evercache.follow('y')`);
    expect(await logged('insert into x values (1); insert into y values (2)')).toEqual([
      'U public.x 1',
      'U public.y 2',
    ]);
  });
});

describe('rights', () => {
  const { connect, logged, run, rows } = useChangeLog(`
    create role ${OWNER}; create role ${READER}; create role ${STRANGER};
    do $$ begin execute format('grant create on database %I to ${OWNER}, ${STRANGER}', current_database()); end $$;
    create schema app authorization ${OWNER};
    alter default privileges for role ${OWNER} grant all on tables to public;
    alter default privileges for role ${OWNER} grant all on functions to public;
    alter default privileges for role ${OWNER} grant all on schemas to public;
    set role ${OWNER}; create table app.t (id int primary key);
    create table app.u (id int primary key); reset role`);
  const dropRoles = () =>
    run(`drop owned by ${OWNER}, ${READER}, ${STRANGER} cascade; drop role ${OWNER}, ${READER}, ${STRANGER}`);

  test('the owner of the tables installs without being a superuser, and nobody else takes the log over', async () => {
    const owner = await connect(OWNER);
    await owner.query(install('app.t', READER));
    await owner.query(install('app.t', READER));
    await owner.query(`select evercache.follow('app.u')`);
    expect(await logged('insert into app.t values (1)')).toEqual(['U app.t 1']);
    const stranger = await connect(STRANGER);
    await expect(stranger.query(install('app.t'))).rejects.toThrow(
      `schema evercache belongs to role ${OWNER}: install as that role`,
    );
    await expect(run(install('app.t'))).rejects.toThrow(`schema evercache belongs to role ${OWNER}`);
    await run('rollback');
  });

  test('nobody else comes near the log, not even where default rights are generous', async () => {
    const stranger = await connect(STRANGER);
    await run(`grant usage on schema evercache to ${STRANGER}`);
    for (const table of ['meta', 'change_log', 'tables']) {
      await expect(stranger.query(`select from evercache.${table}`)).rejects.toThrow(
        `permission denied for table ${table}`,
      );
    }
    const functions = await rows<{ name: string }>(`select oid::regprocedure::text as name from pg_proc
      where pronamespace = 'evercache'::regnamespace and has_function_privilege('${STRANGER}', oid, 'execute')`);
    expect(functions).toEqual([]);
  });

  test('a reader reads and prunes, and does nothing else', async () => {
    const reader = await connect(READER);
    await reader.query('select * from evercache.meta, evercache.change_log, evercache.tables');
    await reader.query('select * from evercache.problems()');
    await reader.query('select evercache.prune()');
    for (const statement of [
      `insert into evercache.change_log (tbl, op) values ('app.t', 'R')`,
      'delete from evercache.change_log',
      'truncate evercache.change_log',
      'update evercache.meta set version = 2',
      `update evercache.tables set tbl = ''`,
      `select evercache.follow('app.t')`,
      `select evercache.unfollow('app.t')`,
      'select evercache.restart()',
      'select evercache.tidy()',
      'create table evercache.mine ()',
    ]) {
      await expect(reader.query(statement), statement).rejects.toThrow('permission denied');
    }
    await reader.end();
  });

  test('the owner removes it again', async () => {
    const owner = await connect(OWNER);
    await owner.query(uninstallScript());
    await owner.end();
    await dropRoles();
    expect(await rows(`select 1 from pg_namespace where nspname = 'evercache'`)).toEqual([]);
  });
});

describe('removing', () => {
  const { logged, run, rows } = useChangeLog(
    'create table t (id int primary key); create table u (id int primary key)',
  );
  const everything = () =>
    rows(`select 'class' as kind, oid::regclass::text as name from pg_class where relnamespace not in ('pg_toast'::regnamespace)
      union all select 'proc', oid::regprocedure::text from pg_proc union all select 'trigger', tgname from pg_trigger
      union all select 'schema', nspname from pg_namespace union all select 'type', oid::regtype::text from pg_type order by 1, 2`);

  test('a table ends its log, marks it, and leaves the others', async () => {
    await run(install('t,u'));
    expect(await logged(unfollowScript(parseTables('t')!))).toEqual(['R public.t']);
    expect(await logged('insert into t values (1); insert into u values (1)')).toEqual(['U public.u 1']);
    expect(await rows('select tbl from evercache.tables')).toEqual([{ tbl: 'public.u' }]);
    expect(await logged(unfollowScript(parseTables('t')!))).toEqual([]);
    await run(uninstallScript());
  });

  test('everything leaves nothing behind, and may be done twice', async () => {
    const before = await everything();
    await run(install('t,u'));
    expect((await everything()).length).toBeGreaterThan(before.length + 10);
    await run(uninstallScript());
    expect(await everything()).toEqual(before);
    await run(uninstallScript());
    await run('insert into t values (2)');
  });
});
