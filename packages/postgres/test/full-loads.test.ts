import { setTimeout as sleep } from 'node:timers/promises';
import { TTLCacheService } from 'evercache';
import { Pool } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { type FullLoadsOptions, postgresMirror, postgresSource } from '../src/index.ts';
import { context, openClient, readAll } from './use-client.ts';

const database = usePostgres();

const SELECT = 'select n as id from generate_series(1, 6000) as n';

/** An instance of its own: a pool, and a source that may read everything when there is a place. */
function instance(fullLoads: FullLoadsOptions = { atOnce: 1 }) {
  const pool = new Pool({ connectionString: database.url, max: 2 });
  onTestFinished(() => pool.end());
  const source = postgresSource({ client: pool, select: SELECT, key: 'id', fullLoads });
  return { pool, source };
}

/** Reads the first row, and so holds a place until the reading is ended. */
async function begin({ source }: ReturnType<typeof instance>) {
  const entries = (await source.fetchAll(context()))[Symbol.asyncIterator]();
  await entries.next();
  return { end: () => entries.return?.(undefined) };
}

describe('with places for so many full loads', () => {
  test('who finds none waits without a connection, and reads when one is free', async () => {
    const [first, second] = [instance(), instance()];
    const reading = await begin(first);
    let done = false;
    const waiting = readAll(await second.source.fetchAll(context())).then((rows) => {
      done = true;
      return rows;
    });
    await expect.poll(() => second.pool.idleCount === second.pool.totalCount && second.pool.totalCount > 0).toBe(true);
    await sleep(300);
    expect(done).toBe(false);
    await reading.end();
    expect(await waiting).toHaveLength(6000);
  });

  test('as many as there are places read at once', async () => {
    const readings = await Promise.all([instance({ atOnce: 2 }), instance({ atOnce: 2 })].map(begin));
    const third = instance({ atOnce: 2, timeout: 0 });
    await expect(readAll(await third.source.fetchAll(context()))).rejects.toMatchObject({
      name: 'PostgresError',
      message: '2 others were reading everything for 0 ms; option "fullLoads" allows no more',
      reachable: true,
    });
    await readings[0]!.end();
    expect(await readAll(await third.source.fetchAll(context()))).toHaveLength(6000);
    await readings[1]!.end();
  });

  test('single reads, and those who did not ask for a place, wait for nobody', async () => {
    const reading = await begin(instance());
    expect(await instance({ atOnce: 1, timeout: 0 }).source.fetchOne('7', context())).toEqual({ id: 7 });
    const other = openClient('postgres.js', database.url);
    onTestFinished(() => other.close());
    const source = postgresSource({ client: other.client, select: SELECT, key: 'id' });
    expect(await readAll(await source.fetchAll(context()))).toHaveLength(6000);
    await reading.end();
  });

  test('the place of a connection that was killed is free', async () => {
    const reading = await begin(instance());
    const admin = new Pool({ connectionString: database.url });
    onTestFinished(() => admin.end());
    await admin.query(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`);
    expect(await readAll(await instance().source.fetchAll(context()))).toHaveLength(6000);
    await reading.end();
  });

  test('an abort ends the wait at once', async () => {
    const reading = await begin(instance());
    const controller = new AbortController();
    const { pool, source } = instance();
    const waiting = readAll(await source.fetchAll(context(controller.signal)));
    const aborted = expect(waiting).rejects.toThrow('stopped');
    await expect.poll(() => pool.totalCount > 0 && pool.idleCount === pool.totalCount).toBe(true);
    controller.abort(new Error('stopped'));
    await aborted;
    await reading.end();
  });

  test('a refresh that found none fails and leaves the breaker closed; what is held is served', async () => {
    const { source } = instance({ atOnce: 1, timeout: 0 });
    await using cache = new TTLCacheService({ name: 'numbers', source });
    await cache.start();
    const reading = await begin(instance());
    expect(await cache.refresh()).toMatchObject({ outcome: 'failed', error: { code: 'source-failed' } });
    expect([cache.get('7'), cache.status().breaker]).toEqual([{ id: 7 }, 'closed']);
    await reading.end();
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged' });
  });

  test('a mirror takes part in it', async () => {
    const { pool } = instance();
    await pool.query('create table numbers as select n as id from generate_series(1, 10) as n');
    const tables = { numbers: { table: 'numbers', key: 'id' } };
    await using mirror = postgresMirror({ name: 'm', client: pool, tables, fullLoads: { atOnce: 1, timeout: 0 } });
    const reading = await begin(instance());
    await mirror.start();
    expect(mirror.status()).toMatchObject({ state: 'degraded', size: 0 });
    await reading.end();
    expect(await mirror.refresh()).toMatchObject({ outcome: 'published' });
  });
});

test.each([
  [3, '{ atOnce, timeout }'],
  [{ atOnce: 0 }, 'a whole number from 1 to 1000'],
  [{ atOnce: 1, timeout: 'soon' }, 'a duration'],
  [{ atOnce: 1, wait: 1 }, 'nothing but atOnce and timeout'],
])('refuses %j', (fullLoads, expected) => {
  expect(() => instance(fullLoads as FullLoadsOptions)).toThrow(TypeError);
  expect(() => instance(fullLoads as FullLoadsOptions)).toThrow(expected);
});
