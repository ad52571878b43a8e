import { createServer } from 'node:net';
import { TTLCacheService } from 'evercache';
import { Pool } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { toPostgresError } from '../src/errors.ts';
import { PostgresError, postgresSource } from '../src/index.ts';
import { isOutage } from '../src/sqlstate.ts';
import { CLIENT_KINDS, context, openClient, readAll, useClient } from './use-client.ts';

const SECRET = 'top-secret-value';

const SCRIPT = `
create table tools (id int primary key, name text);
insert into tools values (1, 'clock');
create table hidden (id int);
create function forbidden() returns setof hidden language plpgsql as
  $$ begin raise insufficient_privilege using message = 'permission denied for table hidden'; end $$;
create function loud(word text) returns int language plpgsql as $$ begin raise exception 'no %', word; end $$;`;

describe.each(CLIENT_KINDS)('an error over %s', (kind) => {
  const database = useClient(kind, SCRIPT);

  test.each([
    ['a missing table', 'select * from missing', [], '42P01 relation "missing" does not exist'],
    ['a missing column', 'select id, nmae from tools', [], '42703 column "nmae" does not exist'],
    [
      'a missing key column',
      'select name from tools',
      [],
      '42703 column "id" does not exist: option "key" needs one of "name"',
    ],
    ['two columns of one name', 'select id, name, name from tools', [], '42702 column "name" is ambiguous'],
    ['a syntax error', 'selec id from tools', [], '42601 syntax error at or near'],
    ['a missing right', 'select 1 as id from forbidden()', [], '42501 permission denied for table hidden'],
    [
      'a value that does not fit',
      'select id from tools where id = $1::int',
      [SECRET],
      '22P02 data exception: a value does not fit',
    ],
    ['a function that raises', 'select loud($1::text) as id', [SECRET], 'P0001 the server refused'],
    ['an order that does not exist for the type', `select id, '{}'::json as position from tools`, [], '42883'],
  ])('of %s says what and is no outage', async (_, select, params, message) => {
    const source = postgresSource({
      client: database.client,
      select,
      params,
      key: 'id',
      rows: 'grouped',
      ...(select.includes('position') ? { orderBy: ['position'] } : {}),
    });
    const failures = [
      readAll(await source.fetchAll(context())),
      source.fetchOne('1', context()),
      source.fetchMany(['1', '2'], context()),
    ];
    for (const failure of await Promise.allSettled(failures)) {
      const { reason } = failure as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(PostgresError);
      expect(reason).toMatchObject({
        message: expect.stringContaining(message),
        sqlstate: message.slice(0, 5),
        reachable: true,
      });
      expect(JSON.stringify(reason, Object.getOwnPropertyNames(reason)) + reason.stack).not.toContain(SECRET);
    }
    // The connection is fit for work again.
    const next = postgresSource({ client: database.client, select: 'select * from tools', key: 'id' });
    expect(await next.fetchOne('1', context())).toEqual({ id: 1, name: 'clock' });
  });

  test('names the cache, leaves the breaker closed and the values where they are', async () => {
    await database.run('create table replaced as select * from tools');
    const source = postgresSource({ client: database.client, select: 'select id, name from replaced', key: 'id' });
    const cache = new TTLCacheService({ name: 'tools', source });
    await cache.start();
    try {
      expect(cache.get('1')).toEqual({ id: 1, name: 'clock' });
      await database.run('alter table replaced rename name to title');
      for (let round = 0; round < 5; round += 1) {
        const { outcome, error } = await cache.refresh();
        expect({ outcome, message: error?.message }).toEqual({
          outcome: 'failed',
          message: expect.stringMatching(/^cache "tools": .*42703 column "name" does not exist/),
        });
      }
      expect(cache.status().breaker).toBe('closed');
      expect(cache.status().source).toMatchObject({ tier: 'snapshot', client: kind });
      expect(cache.get('1')).toEqual({ id: 1, name: 'clock' });
    } finally {
      await cache.stop();
    }
  });
});

describe('a table without rights', () => {
  const database = usePostgres();

  test.each(['pg', 'postgres.js'] as const)('is an error that names the SQLSTATE over %s', async (kind) => {
    const admin = openClient(kind, database.url);
    const role = `limited_${kind.replace('.', '_')}`;
    await admin.run(`drop role if exists ${role}; create role ${role}; create table if not exists hidden (id int)`);
    const { client, close } = openClient(kind, database.url, { role });
    try {
      const source = postgresSource({ client, select: 'select * from hidden', key: 'id' });
      const error = { message: '42501 permission denied for table hidden', sqlstate: '42501', reachable: true };
      await expect(source.fetchOne('1', context())).rejects.toMatchObject(error);
      await expect(readAll(await source.fetchAll(context()))).rejects.toMatchObject(error);
    } finally {
      await close();
      await admin.run(`drop role ${role}`);
      await admin.close();
    }
  });
});

describe('an outage', () => {
  const database = usePostgres();
  const closers: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  const cases = ['pg', 'postgres.js'] as const;

  test.each(cases)('is a refused connection over %s', async (kind) => {
    const url = new URL(database.url);
    url.port = String(await unusedPort());
    const { client, close } = openClient(kind, url.href);
    closers.push(close);
    const source = postgresSource({ client, select: 'select 1 as id', key: 'id' });
    const error = { message: expect.stringContaining('ECONNREFUSED'), sqlstate: undefined, reachable: false };
    await expect(source.fetchOne('1', context())).rejects.toMatchObject(error);
    await expect(readAll(await source.fetchAll(context()))).rejects.toMatchObject(error);
  });

  test.each(cases)('is a refused password over %s', async (kind) => {
    const url = new URL(database.url);
    url.password = 'wrong';
    const { client, close } = openClient(kind, url.href);
    closers.push(close);
    const source = postgresSource({ client, select: 'select 1 as id', key: 'id' });
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({ sqlstate: '28P01', reachable: false });
  });

  test.each(cases)('is a statement the server cancelled over %s', async (kind) => {
    const { client, close } = openClient(kind, database.url, { statement_timeout: '50' });
    closers.push(close);
    const source = postgresSource({ client, select: 'select 1 as id, pg_sleep(10)::text as x', key: 'id' });
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({ sqlstate: '57014', reachable: false });
    await expect(readAll(await source.fetchAll(context()))).rejects.toMatchObject({ sqlstate: '57014' });
  });

  test('is a closed pool', async () => {
    const pool = new Pool({ connectionString: database.url });
    await pool.end();
    const source = postgresSource({ client: pool, select: 'select 1 as id', key: 'id' });
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({ name: 'PostgresError', reachable: false });
  });
});

describe('a SQLSTATE', () => {
  test.each(['08006', '28P01', '53300', '57P01', '57P03', '57014', '58030', 'XX000'])('%s is an outage', (code) => {
    expect(isOutage(code)).toBe(true);
  });

  test.each(['42703', '42P01', '42501', '22P02', '3D000', '40001', '55P03', '0A000', '25P03', 'P0001', '57000'])(
    '%s is an answer',
    (code) => {
      expect(isOutage(code)).toBe(false);
    },
  );

  test('is told from the codes of Node, which may look like one', () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    expect(toPostgresError(broken)).toMatchObject({ message: 'write EPIPE', sqlstate: undefined, reachable: false });
    const both = new AggregateError([Object.assign(new Error('connect ECONNREFUSED ::1'), { code: 'ECONNREFUSED' })]);
    expect(toPostgresError(both).message).toBe('connect ECONNREFUSED ::1');
    expect(toPostgresError('boom').message).toBe('the client failed without saying why');
  });
});

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
