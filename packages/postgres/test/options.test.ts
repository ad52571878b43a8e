import { Client, Pool } from 'pg';
import postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { postgresSource } from '../src/index.ts';

const client = new Pool();
const right = { client, select: 'select 1 as id', key: 'id' };

describe('postgresSource', () => {
  test.each<[string, object, string]>([
    [
      'no client',
      { client: undefined },
      'option "client": expected a pg Pool, a postgres.js client or a PGlite instance, got undefined',
    ],
    [
      'a single pg client',
      { client: new Client() },
      'option "client": expected a pg Pool, a postgres.js client or a PGlite instance, got an instance of Client',
    ],
    [
      'a URL',
      { client: 'postgres://user:secret@host/db' },
      'option "client": expected a pg Pool, a postgres.js client or a PGlite instance, got a URL',
    ],
    [
      'a URL for push',
      { follow: { prices: 'key' }, push: 'postgres://user:secret@host/db' },
      `option "push": expected 'off', 'leader' or { mode, connectionString }, got a URL`,
    ],
    [
      'a client that changes rows',
      { client: postgres({ transform: { row: (row) => row } }) },
      'option "client": expected a postgres.js client without transform.row',
    ],
    ['no SELECT', { select: ' ' }, 'option "select": expected the text of a SELECT, got " "'],
    ['no key', { key: undefined }, 'option "key": expected the name of a column, got undefined'],
    ['an impossible key', { key: 'a\0b' }, 'option "key": expected the name of a column'],
    [
      'a parameter that clients bind differently',
      { params: [1, new Date()] },
      'option "params[1]": expected a string, number, boolean or null, got a value of type object',
    ],
    [
      'parameters that are no list',
      { params: 'secret' },
      'option "params": expected an array of strings, numbers, booleans and nulls, got a value of type string',
    ],
    ['another word for rows', { rows: 'many' }, `option "rows": expected 'single' or 'grouped', got "many"`],
    [
      'an order of one row',
      { orderBy: ['id'] },
      `option "orderBy": expected nothing without rows: 'grouped', got "id"`,
    ],
    [
      'an empty list of one row',
      { presentWhen: 'id' },
      `option "presentWhen": expected nothing without rows: 'grouped', got "id"`,
    ],
    [
      'an order that is no list',
      { rows: 'grouped', orderBy: 'id' },
      'option "orderBy": expected an array of column names, got "id"',
    ],
    [
      'an order by number',
      { rows: 'grouped', orderBy: [1] },
      'option "orderBy[0]": expected the name of a column, got 1',
    ],
    ['a map that is none', { map: {} }, 'option "map": expected a function'],
    ['tables that are none', { follow: ['prices'] }, 'option "follow": expected an object of tables, got an array'],
    ['to follow nothing', { follow: {} }, 'option "follow": expected at least one table'],
    ['a table without a name', { follow: { ' ': 'key' } }, 'option "follow": expected the names of tables, got " "'],
    [
      'an unknown way to the keys',
      { follow: { prices: 'id' } },
      `option "follow["prices"]": expected 'key', { column } or { sql }, got "id"`,
    ],
    [
      'two ways to the keys',
      { follow: { prices: { column: 'id', sql: 'select 1' } } },
      `option "follow["prices"]": expected 'key', { column } or { sql }`,
    ],
    [
      'a column without a name',
      { follow: { prices: { column: '' } } },
      'option "follow["prices"].column": expected the name of a column, got ""',
    ],
    [
      'a look-up that is none',
      { follow: { prices: { sql: 7 } } },
      'option "follow["prices"].sql": expected the text of a SELECT, got 7',
    ],
    [
      'another way to changes',
      { follow: { prices: 'key' }, followBy: 'wal' },
      `option "followBy": expected 'log' or 'xmin', got "wal"`,
    ],
    [
      'to follow nothing by xmin',
      { followBy: 'xmin' },
      'option "followBy": expected nothing without follow, got "xmin"',
    ],
    [
      'lists by xmin',
      { follow: { prices: 'key' }, followBy: 'xmin', rows: 'grouped' },
      `option "rows": expected 'single' with followBy: 'xmin', got "grouped"`,
    ],
    [
      'two tables by xmin',
      { follow: { prices: 'key', tools: 'key' }, followBy: 'xmin' },
      `option "follow": expected one table with followBy: 'xmin'; for several: postgresMirror, got 2`,
    ],
    [
      'another key by xmin',
      { follow: { prices: { column: 'id' } }, followBy: 'xmin' },
      `option "follow": expected 'key' with followBy: 'xmin'; for joins: postgresMirror`,
    ],
    [
      'push by xmin',
      { follow: { prices: 'key' }, followBy: 'xmin', push: 'leader' },
      `option "push": expected 'off' with followBy: 'xmin', since only the log can be watched, got "leader"`,
    ],
    [
      'an unknown option',
      { keys: 'id' },
      'unknown option "keys"; expected one of client, select, params, key, rows, orderBy, presentWhen, map, follow',
    ],
  ])('refuses %s', (_, wrong, message) => {
    const make = () => postgresSource({ ...right, ...wrong } as typeof right);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(`postgresSource: ${message}`);
  });

  test('never shows a parameter in an error', () => {
    const make = () => postgresSource({ ...right, params: [['secret']] } as unknown as typeof right);
    expect(make).toThrow(/^(?!.*secret)/);
  });

  test('shares one breaker among the sources of a client', () => {
    expect(postgresSource(right).breakerKey).toBe(client);
    expect(postgresSource({ ...right, key: 'other' }).breakerKey).toBe(client);
  });

  test('listens for errors of a pool nobody listens to, once', () => {
    const pool = new Pool();
    postgresSource({ ...right, client: pool });
    postgresSource({ ...right, client: pool });
    expect(pool.listenerCount('error')).toBe(1);
    const watched = new Pool();
    watched.on('error', () => {});
    postgresSource({ ...right, client: watched });
    expect(watched.listenerCount('error')).toBe(1);
  });
});
