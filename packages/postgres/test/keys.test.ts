import { Client, type Pool } from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { CLIENT_KINDS, context, readAll, useClient } from './use-client.ts';

const LONG_KEY = 'k'.repeat(1024 * 1024);
const ODD_KEYS = [
  '__proto__',
  '',
  "it's",
  '"quoted"',
  'back\\slash',
  '{a,b}',
  'NULL',
  '$1',
  "'; drop table odd; --",
  '😀',
  LONG_KEY,
];
const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';

describe.each(CLIENT_KINDS)('keys over %s', (kind) => {
  const database = useClient(
    kind,
    `create type color as enum ('red', 'green');
     create table odd (name text, "col""; drop table odd; --" int);
     create table keys (id serial primary key, int_key int, big_key int8, small_key int2, uuid_key uuid, text_key text,
       code_key varchar(10), fixed_key char(5), number_key numeric, day_key date, color_key color, flag_key boolean);
     insert into keys (int_key, big_key, small_key, uuid_key, text_key, code_key, fixed_key, number_key, day_key, color_key, flag_key)
       values (7, 9223372036854775807, -7, '${UUID}', 'seven', 'c7', 'ab', 7.50, '2024-02-29', 'red', true);`,
  );

  test('of any text are found, one by one and together', async () => {
    await database.run('truncate odd');
    const insert = postgresSource({
      client: database.client,
      select: `select name from jsonb_array_elements_text($1::text::jsonb) as name`,
      params: [JSON.stringify(ODD_KEYS)],
      key: 'name',
    });
    const expected = ODD_KEYS.map((name) => [name, { name }] as const);
    expect(new Map(await readAll(await insert.fetchAll(context())))).toEqual(new Map(expected));
    expect(await insert.fetchMany(ODD_KEYS, context())).toEqual(new Map(expected));
    for (const name of ODD_KEYS) expect(await insert.fetchOne(name, context())).toEqual({ name });
    expect(await insert.fetchMany(['\0', 'a\0b', '\ud800', 'absent'], context())).toEqual(new Map());
  });

  test('with half a character do not find the row of another key', async () => {
    const source = postgresSource({ client: database.client, select: `select '\ufffd' as name`, key: 'name' });
    expect(await source.fetchOne('\ud800', context())).toBeUndefined();
    expect(await source.fetchOne('\ufffd', context())).toEqual({ name: '\ufffd' });
  });

  test.each([
    ['int_key', '7', ['007', '+7', ' 7', '7 ', '7.0', '0x7', 'abc', '', '2147483648', '-0']],
    ['big_key', '9223372036854775807', ['9223372036854775808', '09223372036854775807', '1e3']],
    ['small_key', '-7', ['32768', '-07']],
    ['uuid_key', UUID, [UUID.toUpperCase(), `{${UUID}}`, UUID.replaceAll('-', ''), 'abc', '']],
    ['text_key', 'seven', ['Seven', 'seven ', '']],
    ['code_key', 'c7', ['C7', 'c7 ', 'far too long for the column']],
    ['fixed_key', 'ab', ['ab   ', 'AB']],
    ['number_key', '7.50', ['7.5', '7.500', '07.50', 'NaN', '1e1', 'abc']],
    ['day_key', '2024-02-29', ['2024-2-29', '29.02.2024', '2024-02-30', 'today']],
    ['color_key', 'red', ['RED', 'blue']],
    ['flag_key', 'true', ['t', 'TRUE', 'yes', '1']],
  ])('of column %s are the text %s and nothing else', async (key, text, others) => {
    const source = postgresSource({ client: database.client, select: 'select * from keys', key });
    expect((await readAll(await source.fetchAll(context()))).map(([found]) => found)).toEqual([text]);
    expect(await source.fetchOne(text, context())).toMatchObject({ id: 1 });
    expect(await source.fetchMany([...others, text], context())).toEqual(
      new Map([[text, expect.objectContaining({ id: 1 })]]),
    );
    expect(await source.fetchMany(others, context())).toEqual(new Map());
    for (const other of others) expect([other, await source.fetchOne(other, context())]).toEqual([other, undefined]);
  });

  test('may sit in a column whose name looks like SQL', async () => {
    const key = 'col"; drop table odd; --';
    await database.run(`truncate odd; insert into odd values ('here', 1)`);
    const source = postgresSource({ client: database.client, select: 'select * from odd', key });
    expect(await source.fetchOne('1', context())).toEqual({ name: 'here', [key]: 1 });
    expect(await readAll(await source.fetchAll(context()))).toHaveLength(1);
  });

  test('cannot be smuggled in through the name of a column', async () => {
    const key = `id" from keys; drop table keys; --`;
    const source = postgresSource({ client: database.client, select: 'select * from keys', key });
    await expect(source.fetchOne('1', context())).rejects.toThrow('42703');
    const ordered = postgresSource({
      client: database.client,
      select: 'select * from keys',
      key: 'id',
      rows: 'grouped',
      orderBy: ['id; drop table keys'],
    });
    await expect(readAll(await ordered.fetchAll(context()))).rejects.toThrow('42703');
    await database.run('select 1 from keys');
  });
});

describe('a key', () => {
  const database = useClient(
    'pg',
    `create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
     create table loose (name text collate any_case, n int);
     insert into loose values ('a', 1), ('A', 2), ('a', 3), ('A', 4), ('b', 5);
     create table big_table (id int primary key, mark uuid not null unique, word text not null unique,
       code varchar(50) not null unique, large int8 not null unique, owner int not null, settings jsonb);
     insert into big_table select n, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'word ' || n, 'code ' || n,
       n::int8 * 10000000000, n % 1000, '{}' from generate_series(1, 10000) as n;
     create index on big_table (owner);
     analyze big_table;`,
  );

  test('that equals another in the eyes of its collation stays a key of its own', async () => {
    const source = postgresSource({
      client: database.client,
      select: 'select * from loose',
      key: 'name',
      rows: 'grouped',
      orderBy: ['n'],
      map: (row) => row.n,
    });
    const expected = [
      ['A', [2, 4]],
      ['a', [1, 3]],
      ['b', [5]],
    ];
    expect(await readAll(await source.fetchAll(context()))).toEqual(expected);
    expect(await source.fetchOne('a', context())).toEqual([1, 3]);
    expect(await source.fetchOne('B', context())).toBeUndefined();
  });

  test.each([
    ['id', '77'],
    ['mark', '00000000-0000-0000-0000-000000000077'],
    ['word', 'word 77'],
    ['code', 'code 77'],
    ['large', '770000000000'],
  ])('in column %s is looked up by the index', async (key, text) => {
    const pool = database.client as Pool;
    const query = vi.spyOn(Client.prototype, 'query');
    const source = postgresSource({
      client: pool,
      select: 'select b.*, o.word as owner_word from big_table as b left join big_table as o on o.id = b.owner',
      key,
    });
    expect(await source.fetchOne(text, context())).toMatchObject({ id: 77, owner_word: 'word 77' });
    const sent = query.mock.lastCall?.[0] as unknown as { text: string; values: string[] };
    query.mockRestore();
    expect(sent.values).toHaveLength(1);
    const plans = [
      await pool.query({ text: `explain ${sent.text}`, values: sent.values, rowMode: 'array' }),
      // As a prepared statement is planned after some runs: without a look at the values.
      ...(await Promise.all([genericPlan(pool, sent.text)])),
    ].map(({ rows }) => rows.flat().join('\n'));
    for (const plan of plans) {
      expect(plan).toMatch(new RegExp(`Index Cond: \\(\\(?${key}`));
      expect(plan).not.toContain('Seq Scan');
    }
  });

  test('of a group is looked up by the index', async () => {
    const pool = database.client as Pool;
    const query = vi.spyOn(Client.prototype, 'query');
    const source = postgresSource({ client: pool, select: 'select * from big_table', key: 'owner', rows: 'grouped' });
    expect(await source.fetchOne('7', context())).toHaveLength(10);
    const sent = query.mock.lastCall?.[0] as unknown as { text: string; values: string[] };
    query.mockRestore();
    const { rows } = await pool.query({ text: `explain ${sent.text}`, values: sent.values, rowMode: 'array' });
    expect(rows.flat().join('\n')).toMatch(/Index Cond: \(owner/);
  });
});

async function genericPlan(pool: Pool, text: string) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('set local plan_cache_mode = force_generic_plan');
    await client.query(`prepare lookup (text) as ${text}`);
    const plan = await client.query({ text: `explain execute lookup('{}')`, rowMode: 'array' });
    await client.query('deallocate lookup');
    return plan;
  } finally {
    await client.query('rollback');
    client.release();
  }
}
