/** Whether the keys that the log knows rows by are those of the cache: else everything is read, and nothing is missed. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { type FollowBy, postgresMirror, postgresSource, type TouchedKeys } from '../src/index.ts';
import { CHANGE_LOG, Mirror } from './mirror.ts';
import { CLIENT_KINDS, type TestClient, useClient } from './use-client.ts';

interface Followed {
  readonly select: string;
  readonly params?: readonly number[];
  readonly key?: string;
  readonly keys?: TouchedKeys;
  readonly followBy?: FollowBy;
}

/** The table `things (..., n int)`, where all that changes is `n`. */
function things(database: TestClient, { keys = 'key', ...options }: Followed) {
  const source = postgresSource({ client: database.client, key: 'id', ...options, follow: { things: keys } });
  const mirror = new Mirror(source);
  return {
    source,
    /** How the first change was found, what `n` is then, and why, if there is a reason. */
    async seen(): Promise<unknown[]> {
      await mirror.refresh();
      await database.run('update things set n = n + 1');
      const how = await mirror.refresh();
      return [how, ...[...mirror.rows.values()].map(({ n }) => n), ...[source.status().reason ?? []].flat()];
    },
  };
}

function make(database: TestClient, columns: string, values: string, logged = ''): Promise<void> {
  return database.run(`drop table if exists things; create table things (${columns}, n int);
    insert into things values (${values}, 1); select evercache.follow('things', '{${logged}}')`);
}

const otherwise = (columns: string) =>
  `the change log may write ${columns} of table public.things otherwise than the keys are read: follow it by { sql }`;
const another = (logged: string, own: string) =>
  `the change log knows the rows of table public.things by ${logged}, not by ${own}: follow it by { column } or { sql }`;

describe('followed in a session that writes in its own way,', () => {
  const database = useClient(
    'pg',
    `${CHANGE_LOG}; create type kind as enum ('small', 'LARGE'); create domain code as varchar(9);
     create domain moment as timestamptz; set datestyle = 'German, DMY'; set timezone = 'Asia/Kathmandu';
     set intervalstyle = 'sql_standard'; set extra_float_digits = 0; set bytea_output = 'escape'`,
  );

  test.each([
    ['int2', '7'],
    ['bool', 'true'],
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['float8', '0.30000000000000004'],
    ['float4', 'Infinity'],
    ['date', '0044-03-15 BC'],
    ['time', '12:00:00.5'],
    ['timetz', '12:00+02'],
    ['interval', '1 year -3 days'],
    ['interval[]', '{1 year,3 days}'],
    ['"char"', 'x'],
    ['char(5)', 'x'],
    ['inet', '10.0.0.1/32'],
    ['int8[]', '{1,2}'],
    ['text[]', '{a,"b c",NULL}'],
    ['int4range', '[1,5)'],
    ['jsonb', '{"a":[1]}'],
    ['kind', 'LARGE'],
    ['code', 'x'],
  ])('a key of type %s is in the log as it is read', async (type, value) => {
    await make(database, `id ${type} primary key`, `'${value}'`);
    expect(await things(database, { select: 'select * from things' }).seen()).toEqual(['delta', 2]);
  });

  test.each([
    ['timestamptz', '2024-02-29 12:00'],
    ['timestamp', '2024-02-29 12:00'],
    ['moment', '2024-02-29 12:00'],
    ['bytea', '\\x00ff'],
    ['money', '7.50'],
    ['regclass', 'things'],
    ['timestamptz[]', '{2024-02-29 12:00}'],
    ['date[]', '{2024-02-29}'],
  ])('a key of type %s is in the log in another way, and each refresh reads everything', async (type, value) => {
    await make(database, `id ${type} primary key`, `'${value}'`);
    expect(await things(database, { select: 'select * from things' }).seen()).toEqual([
      'snapshot',
      2,
      otherwise('"id"'),
    ]);
  });

  test.each([
    ['int', '7', 'id::text'],
    ['int', '7', 'id::int8'],
    ['int8', '7', 'id::int2'],
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'id::text'],
    ['text', 'seven', 'id::varchar'],
    ['char(5)', 'x', 'id::text'],
  ])('the key of a table may be %s, %s, and that of the SELECT %s', async (type, value, key) => {
    await make(database, `id ${type} primary key`, `'${value}'`);
    const select = `select ${key} as thing, n from things`;
    expect(await things(database, { select, key: 'thing' }).seen()).toEqual(['delta', 2]);
  });

  test.each([
    ['int', '7', `('00000000-0000-0000-0000-' || lpad(id::text, 12, '0'))::uuid`],
    ['int', '7', 'id::numeric(9, 2)'],
    ['numeric', '7.0', 'id::int'],
    ['text', '007', 'id::int'],
    ['text', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'id::uuid'],
    ['timestamptz', '2024-02-29 12:00', 'id::text'],
    ['interval', '1 year', 'id::text'],
    ['daterange', '[2024-02-29,2024-03-02)', 'id::text'],
  ])(
    'a key of type %s, %s, need not be the text of %s, and each refresh reads everything',
    async (type, value, key) => {
      await make(database, `id ${type} primary key`, `'${value}'`);
      const select = `select ${key} as thing, n from things`;
      expect(await things(database, { select, key: 'thing' }).seen()).toEqual(['snapshot', 2, otherwise('"id"')]);
    },
  );
});

describe.each(CLIENT_KINDS)('followed over %s,', (kind) => {
  const database = useClient(kind, CHANGE_LOG);

  test('a key of several columns is the text that the SELECT makes of them, or the SELECT is read as a whole', async () => {
    await make(database, 'a text, b int, primary key (a, b)', `'x "y"', 7`);
    const text = `'[' || to_json(a::text)::text || ',' || to_json(b::text)::text || ']'`;
    expect(await things(database, { select: `select ${text} as id, n from things` }).seen()).toEqual(['delta', 2]);
    for (const other of ['b', 'b + 1', 'json_build_array(a, b)', 'array[b]']) {
      const select = `select ${other} as id, n from things where n > 0`;
      expect((await things(database, { select }).seen()).slice(2)).toEqual([another('"a", "b"', '"id"')]);
    }
    const reason = `the change log knows the rows of table public.things by the JSON of texts, ["...","..."], and no such key was read: follow it by { sql }`;
    for (const other of ['json_build_array(a, b::text)::text', `'[' || to_json(a) || ']'`, 'a', `'["a","b"'`]) {
      const select = `select ${other} || '' as id, n from things where n > $1`;
      expect((await things(database, { select, params: [0] }).seen()).slice(2)).toEqual([reason]);
    }
    await make(database, 'a text, b timestamptz, primary key (a, b)', `'x', '2024-02-29'`);
    expect((await things(database, { select: `select ${text} as id, n from things` }).seen()).slice(2)).toEqual([
      otherwise('"a", "b"'),
    ]);
  });

  test('a key of several columns is followed from the first row on', async () => {
    await make(database, 'a text, b int, primary key (a, b)', `'x', 7`);
    await database.run('delete from things');
    const select = `select '["' || a || '","' || b || '"]' as id, n from things`;
    const { seen, source } = things(database, { select });
    expect([(await seen())[0], source.status().tier]).toEqual(['snapshot', 'snapshot']);
    await database.run(`insert into things values ('x', 7, 1)`);
    expect([await seen(), source.status().tier]).toEqual([['delta', 2], 'change log']);
  });

  test('a logged column is compared with the key by its type', async () => {
    await make(database, 'id int primary key, owner int, at timestamptz', `1, 7, '2024-02-29'`, 'owner,at');
    const ofOwner = { select: 'select owner::int8 as owner, n from things', key: 'owner' };
    expect(await things(database, { ...ofOwner, keys: { column: 'owner' } }).seen()).toEqual(['delta', 2]);
    const ofTime = { select: 'select at, n from things', key: 'at' };
    expect(await things(database, { ...ofTime, keys: { column: 'at' } }).seen()).toEqual([
      'snapshot',
      3,
      otherwise('"at"'),
    ]);
    const sql = `select to_json((columns ->> 'at')::timestamptz at time zone 'UTC') #>> '{}' || 'Z' from changed`;
    expect(await things(database, { ...ofTime, keys: { sql } }).seen()).toEqual(['delta', 4]);
  });

  test('what was compared is compared again when the key has become another', async () => {
    await make(database, 'id text primary key, at timestamptz', `'x', '2024-02-29'`);
    const { seen, source } = things(database, { select: 'select * from things' });
    expect(await seen()).toEqual(['delta', 2]);
    await database.run(`alter table things alter id type timestamptz using at; select evercache.follow('things')`);
    expect(await seen()).toEqual(['snapshot', 3, otherwise('"id"')]);
    await database.run(`alter table things alter id type text using 'x'; select evercache.follow('things')`);
    expect([await seen(), source.status().tier]).toEqual([['delta', 4], 'change log']);
  });
});

describe.each(CLIENT_KINDS.filter((kind) => kind !== 'pglite'))('followed over %s,', (kind) => {
  const database = useClient(kind, CHANGE_LOG);
  const columns = 'id int primary key, slug text, rank int';

  test.each(['slug', 'rank'])('a key that is column %s is not the one that is logged', async (key) => {
    await make(database, columns, `7, 'seven', 7`, 'slug,rank');
    const select = `select n, ${key} as k from (select * from things) as t`;
    expect(await things(database, { select, key: 'k' }).seen()).toEqual(['snapshot', 2, another('"id"', '"k"')]);
    expect(await things(database, { select, key: 'k', keys: { column: key } }).seen()).toEqual(['delta', 3]);
    const sql = `select ${key} from things join changed on id = changed.key::int`;
    expect(await things(database, { select, key: 'k', keys: { sql } }).seen()).toEqual(['delta', 4]);
  });

  test('by xmin, a key that is another column of the table is not the one by which rows are found', async () => {
    await make(database, columns, `7, 'seven', 7`);
    const { seen } = things(database, { select: 'select rank, n from things', key: 'rank', followBy: 'xmin' });
    expect(await seen()).toEqual(['snapshot', 2, 'the keys are not those of table public.things']);
  });

  test('one of several columns of a key is not the key', async () => {
    await make(database, 'a text, b text, primary key (a, b)', `'x', 'y'`);
    const { seen } = things(database, { select: 'select * from things', key: 'b' });
    expect(await seen()).toEqual(['snapshot', 2, another('"a", "b"', '"b"')]);
  });

  test('a column of another table may be the key where it may be what the SELECT joins by', async () => {
    await make(database, columns, `7, 'seven', 7`);
    await database.run(
      `drop table if exists links; create table links (thing int8, name text); insert into links values (7, 'seven')`,
    );
    const select = 'select thing, name, n from links join things on id = thing';
    const { seen } = things(database, { select, key: 'thing' });
    expect(await seen()).toEqual(['delta', 2]);
    const byName = things(database, { select, key: 'name' });
    expect(await byName.seen()).toEqual(['snapshot', 3, otherwise('"id"')]);
  });

  test('a column that is equal to the key need not have its text', async () => {
    await database.run(`drop table if exists links, things cascade;
      create table things (id numeric(5, 2) primary key, n int); create table links (id int primary key, thing numeric(5, 0));
      insert into things values (7, 1); insert into links values (1, 7);
      select evercache.follow('things'), evercache.follow('links', '{thing}')`);
    const source = postgresSource({
      client: database.client,
      select: 'select id, n from things as t where exists (select from links where thing = t.id)',
      key: 'id',
      follow: { things: 'key', links: { column: 'thing' } },
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await database.run('delete from links');
    await mirror.refresh();
    expect([[...mirror.rows.keys()], source.status().tier]).toEqual([[], 'snapshot']);
  });

  test('a view may make a text of the key', async () => {
    await make(database, columns, `7, 'seven', 7`);
    await database.run('drop view if exists shown; create view shown as select id::text as id, n from things');
    const { seen } = things(database, { select: 'select * from shown', key: 'id' });
    expect(await seen()).toEqual(['delta', 2]);
    await database.run('drop view shown');
  });
});

describe('a mirror', () => {
  const database = useClient('pg', CHANGE_LOG);

  test.each([
    ['date', '2024-02-29', undefined, undefined],
    [
      'timestamptz',
      '2024-02-29 12:00',
      undefined,
      'the change log may write "id" of table public.things otherwise than the keys are read',
    ],
    ['int', '7', 'n', 'the change log knows the rows of table public.things by "id", not by "n"'],
    ['int', '7', ['id', 'n'], 'the change log knows the rows of table public.things by "id", not by "id", "n"'],
  ])('of a table by %s, %s, and the key %s follows the log, or reads everything', async (type, value, key, reason) => {
    await make(database, `id ${type} primary key`, `'${value}'`);
    const table = { table: 'things', ...(key !== undefined && { key }) };
    const mirror = postgresMirror({ name: 'things', client: database.client, tables: { things: table } });
    onTestFinished(() => mirror.stop());
    await mirror.start();
    await database.run('update things set n = 2');
    const { kind } = await mirror.refresh();
    const found = [...mirror.tables.things.entries()].map(([, row]) => row.n);
    expect([kind, found, mirror.status().source?.reason]).toEqual([
      reason === undefined ? 'delta' : 'snapshot',
      [2],
      reason,
    ]);
  });
});
