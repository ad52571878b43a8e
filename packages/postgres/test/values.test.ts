import { describe, expect, test } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { postgresSource } from '../src/index.ts';
import { CLIENT_KINDS, context, openClient, readAll, useClient } from './use-client.ts';

const SCRIPT = `
create type mood as enum ('happy', 'so "so"');
create domain big as int8;
create table samples (
  id int primary key, yes boolean, small int2, whole int4, large int8, exact numeric, cash numeric(12, 2),
  half float4, double float8, nan float8, endless float8, less float4, words text, code varchar(10), padded char(4),
  mark uuid, day date, never date, moment timestamp, instant timestamptz, forever timestamptz, clock time, span interval,
  loose json, tight jsonb, bytes bytea, feeling mood, addresses inet, numbers int8range, bare big,
  ints int4[], larges int8[], bigs big[], grid int4[][], texts text[], moods mood[], instants timestamptz[],
  spans interval[], blobs bytea[], doubles float8[], days date[], nothing text, no_ints int4[]
);
insert into samples values (
  1, true, -32768, 2147483647, 9223372036854775807, 123456789012345678901234567890.12345678901234567890, 10.50,
  0.1, 0.1::float8 + 0.2::float8, 'NaN', 'Infinity', '-Infinity',
  E'Ünï "quoted" \\\\ back\\nline\\ttab \\u2028 😀 <script>', 'abc', 'ab',
  'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2024-02-29', 'infinity', '2024-02-29 12:34:56.789012',
  '2024-07-01 12:00:00.5+02', '-infinity', '23:59:59.999999', '1 year 2 months -3 days 04:05:06.7',
  '{"b": 1, "a": [1.5, null, "x"], "__proto__": {"x": 1}}', '{"b": 1, "a": {"deep": [true]}}',
  decode(repeat('00ff', 60), 'hex'), 'so "so"', '10.0.0.1/8', '[1,10)', 9007199254740993,
  '{1,null,3}', '{9007199254740993,null}', '{9007199254740993}', '{{1,2},{3,4}}', array['a"b', 'c,d', null, ''],
  '{happy,"so \\"so\\""}', array['2024-07-01 12:00:00+02', null]::timestamptz[], '{1 day}', array['\\x00ff'::bytea],
  '{0.1,NaN}', '{2024-02-29}', null, null
);`;

/** What the README's table says, value for value. */
const EXPECTED = {
  id: 1,
  yes: true,
  small: -32768,
  whole: 2147483647,
  large: '9223372036854775807',
  exact: '123456789012345678901234567890.12345678901234567890',
  cash: '10.50',
  half: 0.1,
  double: 0.1 + 0.2,
  nan: 'NaN',
  endless: 'Infinity',
  less: '-Infinity',
  words: 'Ünï "quoted" \\ back\nline\ttab \u2028 😀 <script>',
  code: 'abc',
  padded: 'ab  ',
  mark: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  day: '2024-02-29',
  never: 'infinity',
  moment: '2024-02-29T12:34:56.789012',
  instant: '2024-07-01T10:00:00.5Z',
  forever: '-infinity',
  clock: '23:59:59.999999',
  span: 'P1Y2M-3DT4H5M6.7S',
  loose: JSON.parse('{"b": 1, "a": [1.5, null, "x"], "__proto__": {"x": 1}}'),
  tight: { a: { deep: [true] }, b: 1 },
  bytes: Buffer.from('00ff'.repeat(60), 'hex').toString('base64'),
  feeling: 'so "so"',
  addresses: '10.0.0.1/8',
  numbers: '[1,10)',
  bare: '9007199254740993',
  ints: [1, null, 3],
  larges: ['9007199254740993', null],
  bigs: ['9007199254740993'],
  grid: [
    [1, 2],
    [3, 4],
  ],
  texts: ['a"b', 'c,d', null, ''],
  moods: ['happy', 'so "so"'],
  instants: ['2024-07-01T10:00:00Z', null],
  spans: ['P1D'],
  blobs: ['AP8='],
  doubles: [0.1, 'NaN'],
  days: ['2024-02-29'],
  nothing: null,
  no_ints: null,
};

/** As far from the defaults as they go. */
const ODD_SETTINGS = {
  TimeZone: 'Asia/Kathmandu',
  DateStyle: 'German',
  IntervalStyle: 'sql_standard',
  extra_float_digits: '-5',
  bytea_output: 'escape',
};

describe.each(CLIENT_KINDS)('values over %s', (kind) => {
  const database = useClient(kind, SCRIPT);

  test('are plain JSON data, the same by every way of reading', async () => {
    const source = postgresSource({ client: database.client, select: 'select * from samples', key: 'id' });
    const [[key, row] = []] = await readAll(await source.fetchAll(context()));
    expect(key).toBe('1');
    expect(row).toStrictEqual(EXPECTED);
    expect(Object.keys(row ?? {})).toEqual(Object.keys(EXPECTED));
    expect(await source.fetchOne('1', context())).toStrictEqual(EXPECTED);
    expect((await source.fetchMany(['1', '2'], context())).get('1')).toStrictEqual(EXPECTED);
  });

  test('refuses a composite type, which is written differently from session to session', async () => {
    const select = 'select id, samples as whole_row from samples';
    const source = postgresSource({ client: database.client, select, key: 'id' });
    await expect(source.fetchOne('1', context())).rejects.toThrow(
      '0A000 column "whole_row" is a composite type (samples)',
    );
  });

  test('refuses a range over times', async () => {
    const select = 'select 1 as id, array[tstzrange(now(), null)] as times';
    const source = postgresSource({ client: database.client, select, key: 'id' });
    await expect(source.fetchOne('1', context())).rejects.toThrow('0A000 column "times" is a range');
  });

  test('binds parameters of the SELECT', async () => {
    const select = 'select $1::int as id, $2::text as word, $3::bool as flag, $4::text as nothing';
    const params = [7, "'; drop table samples; --", true, null];
    const source = postgresSource({ client: database.client, select, params, key: 'id' });
    const row = { id: 7, word: "'; drop table samples; --", flag: true, nothing: null };
    expect(await readAll(await source.fetchAll(context()))).toEqual([['7', row]]);
    expect(await source.fetchOne('7', context())).toEqual(row);
  });
});

describe('values', () => {
  const database = usePostgres();

  test.each(['pg', 'postgres.js'] as const)('do not depend on the settings of the session over %s', async (kind) => {
    const plain = openClient(kind, database.url);
    const odd = openClient(kind, database.url, ODD_SETTINGS);
    try {
      await plain.run(`drop table if exists samples; drop domain if exists big; drop type if exists mood; ${SCRIPT}`);
      const source = postgresSource({ client: odd.client, select: 'select * from samples', key: 'id' });
      expect(await readAll(await source.fetchAll(context()))).toStrictEqual([['1', EXPECTED]]);
      expect(await source.fetchOne('1', context())).toStrictEqual(EXPECTED);
    } finally {
      await Promise.all([plain.close(), odd.close()]);
    }
  });

  test.each(['pg', 'postgres.js'] as const)('leaves the settings of the session as they were over %s', async (kind) => {
    const { client, run, close } = openClient(kind, database.url, ODD_SETTINGS);
    try {
      const select = "select 1 as id, '1 day'::interval as span, 0.1::float8 as number";
      const source = postgresSource({ client, select, key: 'id' });
      await source.fetchOne('1', context());
      await readAll(await source.fetchAll(context()));
      await run(`do $$ begin assert current_setting('IntervalStyle') = 'sql_standard'
        and current_setting('extra_float_digits') = '-5' and current_setting('cursor_tuple_fraction') = '0.1'; end $$`);
    } finally {
      await close();
    }
  });

  test('ignores the parsers and transforms of the client', async () => {
    const { default: postgres } = await import('postgres');
    const sql = postgres(database.url, {
      transform: { ...postgres.camel, value: { from: () => 'changed' } },
      types: { text: { to: 25, from: [25], serialize: String, parse: () => 'changed' } },
    });
    const { Pool } = await import('pg');
    const pool = new Pool({
      connectionString: database.url,
      types: { getTypeParser: () => () => 'changed' },
    });
    try {
      for (const client of [sql, pool]) {
        const source = postgresSource({ client, select: "select 'x' as some_key, 2 as the_value", key: 'some_key' });
        expect(await source.fetchOne('x', context())).toEqual({ some_key: 'x', the_value: 2 });
      }
    } finally {
      await Promise.all([sql.end(), pool.end()]);
    }
  });
});
