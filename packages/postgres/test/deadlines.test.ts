import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { Client, Pool } from 'pg';
import postgres from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { embeddedDirectory } from '../../../test/support/embedded-directory.ts';
import { usePostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { type PostgresClient, postgresSource } from '../src/index.ts';
import { context, openClient, readAll } from './use-client.ts';

const SLEEP = 'select 1 as id, pg_sleep(30)::text as nothing';
const ROWS = 'select n as id from generate_series(1, 6000) as n';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function openPool(options: ConstructorParameters<typeof Pool>[0]): Pool {
  const pool = new Pool(options);
  closers.push(() => pool.end());
  return pool;
}

function openSql(url: string, options: postgres.Options<Record<string, never>>): postgres.Sql {
  const sql = postgres(url, { onnotice: () => {}, ...options });
  closers.push(() => sql.end({ timeout: 0 }));
  return sql;
}

function state(pool: Pool): object {
  return { total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount };
}

/** The call must end with the signal's reason, soon after the deadline. */
async function expectTimeout(client: PostgresClient, select: string, deadlineMs = 200): Promise<void> {
  const source = postgresSource({ client, select, key: 'id' });
  const begun = performance.now();
  await expect(source.fetchOne('1', context(AbortSignal.timeout(deadlineMs)))).rejects.toMatchObject({
    name: 'TimeoutError',
  });
  expect(performance.now() - begun).toBeLessThan(deadlineMs + 150);
}

/** The time the pool is given to be whole again. */
const withinASecond = (assertion: () => unknown) => expect.poll(assertion, { timeout: 1000, interval: 20 });

/** Takes the one session, as a transaction of the application would; gives what ends it. */
async function holdSession(begin: (work: () => Promise<void>) => Promise<unknown>): Promise<() => Promise<unknown>> {
  return await new Promise((held) => {
    const over = begin(
      () =>
        new Promise<void>((leave) => {
          held(() => {
            leave();
            return over;
          });
        }),
    );
  });
}

async function sleepers(url: string): Promise<number> {
  const client = new Client(url);
  await client.connect();
  const { rows } = await client.query(`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and state = 'active' and query like '%pg_sleep(30)%' and pid <> pg_backend_pid()`);
  await client.end();
  return rows[0].n;
}

describe('past its deadline a call over pg', () => {
  const database = usePostgres();
  const own = usePrivatePostgres();

  test('cancels its statement at the server, and the pool is whole', async () => {
    const pool = openPool({ connectionString: database.url, max: 1 });
    await expectTimeout(pool, SLEEP);
    await withinASecond(() => sleepers(database.url)).toBe(0);
    await withinASecond(() => state(pool)).toEqual({ total: 0, idle: 0, waiting: 0 });
    expect((await pool.query('select 1 as x')).rows).toEqual([{ x: 1 }]);
  });

  test('leaves the queue of an exhausted pool', async () => {
    const pool = openPool({ connectionString: database.url, max: 1 });
    const held = await pool.connect();
    await expectTimeout(pool, 'select 1 as id');
    held.release();
    await withinASecond(() => state(pool)).toEqual({ total: 1, idle: 1, waiting: 0 });
    const source = postgresSource({ client: pool, select: 'select 1 as id', key: 'id' });
    expect(await source.fetchOne('1', context())).toEqual({ id: 1 });
  });

  test('gives back a connection that comes too late, where the pool keeps its queue to itself', async () => {
    const pool = openPool({ connectionString: database.url, max: 1, connectionTimeoutMillis: 5000 });
    const held = await pool.connect();
    await expectTimeout(pool, 'select 1 as id');
    held.release();
    await withinASecond(() => state(pool)).toEqual({ total: 1, idle: 1, waiting: 0 });
  });

  test('destroys its connection to a frozen server', async () => {
    const pool = openPool({ connectionString: own.server.url, max: 2 });
    const source = postgresSource({ client: pool, select: 'select 1 as id', key: 'id' });
    await source.fetchOne('1', context());
    own.server.freeze();
    try {
      await expectTimeout(pool, 'select 1 as id');
      await withinASecond(() => state(pool)).toEqual({ total: 0, idle: 0, waiting: 0 });
    } finally {
      own.server.thaw();
    }
    expect(await source.fetchOne('1', context())).toEqual({ id: 1 });
  });

  test('gives up connections being opened to a frozen server, and the places behind them', async () => {
    const pool = openPool({ connectionString: own.server.url, max: 2 });
    own.server.freeze();
    try {
      await Promise.all([1, 2, 3, 4, 5].map(() => expectTimeout(pool, 'select 1 as id')));
      await withinASecond(() => state(pool)).toEqual({ total: 0, idle: 0, waiting: 0 });
    } finally {
      own.server.thaw();
    }
    const source = postgresSource({ client: pool, select: 'select 1 as id', key: 'id' });
    expect(await source.fetchOne('1', context())).toEqual({ id: 1 });
  });

  test.each(['while a batch is awaited', 'between two batches'])(
    'ends a snapshot of a frozen server, %s',
    async (moment) => {
      const pool = openPool({ connectionString: own.server.url, max: 1 });
      const source = postgresSource({ client: pool, select: ROWS, key: 'id' });
      const controller = new AbortController();
      const entries = (await source.fetchAll(context(controller.signal)))[Symbol.asyncIterator]();
      await entries.next();
      own.server.freeze();
      try {
        const waiting = pool.connect();
        if (moment === 'between two batches') {
          controller.abort(new Error('too late'));
        } else {
          setTimeout(() => controller.abort(new Error('too late')), 100);
          await expect(
            (async () => {
              for (;;) if ((await entries.next()).done) return;
            })(),
          ).rejects.toThrow('too late');
        }
        // The next in the queue is given the free place at once.
        await withinASecond(() => pool.waitingCount).toBe(0);
        own.server.thaw();
        (await waiting).release();
        await withinASecond(() => state(pool)).toEqual({ total: 1, idle: 1, waiting: 0 });
      } finally {
        own.server.thaw();
      }
    },
  );

  test('is not needed to notice a server that died, and an idle connection lost does not end the process', async () => {
    const pool = openPool({ connectionString: own.server.url, max: 2 });
    const source = postgresSource({ client: pool, select: 'select 1 as id', key: 'id' });
    postgresSource({ client: pool, select: 'select 2 as id', key: 'id' });
    expect(pool.listenerCount('error')).toBe(1);
    await source.fetchOne('1', context());
    const sleeping = postgresSource({ client: pool, select: SLEEP, key: 'id' }).fetchOne('1', context());
    const failed = expect(sleeping).rejects.toMatchObject({ name: 'PostgresError', reachable: false });
    await expect.poll(() => sleepers(own.server.url)).toBe(1);
    await own.server.kill();
    await failed;
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({ reachable: false });
    await own.server.restart();
    expect(await source.fetchOne('1', context())).toEqual({ id: 1 });
  });
});

describe('past its deadline a call over postgres.js', () => {
  const database = usePostgres();
  const own = usePrivatePostgres();

  test('cancels its statement at the server, and the client is whole', async () => {
    const sql = openSql(database.url, { max: 1 });
    await expectTimeout(sql, SLEEP);
    await withinASecond(() => sleepers(database.url)).toBe(0);
    expect([...(await sql`select 1 as x`)]).toEqual([{ x: 1 }]);
  });

  test('does not cancel what others have sent after it', async () => {
    const sql = openSql(database.url, { max: 1 });
    await sql`select 1`;
    const timeout = expectTimeout(sql, SLEEP);
    await sleep(100);
    const others = Promise.all([sql`select pg_sleep(0.3), 1 as x`, sql`select 2 as x`]);
    await timeout;
    expect((await others).map((rows) => rows[0]?.x)).toEqual([1, 2]);
  });

  test('leaves the queue of an exhausted client', async () => {
    const sql = openSql(database.url, { max: 1 });
    const release = await holdSession((work) => sql.begin(work));
    await expectTimeout(sql, 'select 1 as id');
    await release();
    expect([...(await sql`select 1 as x`)]).toEqual([{ x: 1 }]);
  });

  test('ends in time while the server is frozen, and the connection is back when it thaws', async () => {
    const sql = openSql(own.server.url, { max: 1 });
    const source = postgresSource({ client: sql, select: ROWS, key: 'id' });
    const controller = new AbortController();
    const entries = (await source.fetchAll(context(controller.signal)))[Symbol.asyncIterator]();
    await entries.next();
    own.server.freeze();
    try {
      controller.abort(new Error('too late'));
      await expectTimeout(sql, ROWS);
    } finally {
      own.server.thaw();
    }
    await expect(entries.next()).resolves.toMatchObject({ done: false });
    expect(await source.fetchOne('1', context(AbortSignal.timeout(1000)))).toEqual({ id: 1 });
  });

  test('works with any client options that change how connections are opened', async () => {
    const sql = openSql(own.server.url, { max: 1, fetch_types: false, prepare: false });
    const source = postgresSource({ client: sql, select: ROWS, key: 'id' });
    expect(await source.fetchOne('1', context(AbortSignal.timeout(2000)))).toEqual({ id: 1 });
    expect(await readAll(await source.fetchAll(context(AbortSignal.timeout(2000))))).toHaveLength(6000);
  });

  test('is not needed to notice a server that died', async () => {
    const sql = openSql(own.server.url, { max: 2 });
    const source = postgresSource({ client: sql, select: 'select 1 as id', key: 'id' });
    const sleeping = postgresSource({ client: sql, select: SLEEP, key: 'id' }).fetchOne('1', context());
    const failed = expect(sleeping).rejects.toMatchObject({ name: 'PostgresError', reachable: false });
    await expect.poll(() => sleepers(own.server.url)).toBe(1);
    await own.server.kill();
    await failed;
    await expect(source.fetchOne('1', context())).rejects.toMatchObject({ reachable: false });
    await own.server.restart();
    // Asks again, as a cache would: postgres.js may hand the dead server's last words to the first who asks the new one.
    const again = () => source.fetchOne('1', context(AbortSignal.timeout(2000)));
    await expect.poll(again, { timeout: 5000 }).toEqual({ id: 1 });
  });

  test('sends nothing that a connection lost in the same moment would keep for ever', async () => {
    const { hostname, port } = new URL(own.server.url);
    const open = () => connect({ host: hostname, port: Number(port) });
    const sockets: Socket[] = [];
    const socket = async () => {
      const opened = open();
      sockets.push(opened);
      await once(opened, 'connect');
      return opened;
    };
    // An option that its types do not know.
    const sql = openSql(own.server.url, { max: 1, socket } as postgres.Options<Record<string, never>>);
    const source = postgresSource({ client: sql, select: 'select 1 as id', key: 'id' });
    expect(await source.fetchOne('1', context())).toEqual({ id: 1 });
    const bystanders = [open(), open()] as const;
    await Promise.all(bystanders.map((bystander) => once(bystander, 'connect')));
    const closed = Promise.race(bystanders.map((bystander) => once(bystander, 'close')));
    // All close in one turn of the loop, in one order or the other: whoever asks at the first is given the second.
    for (const lost of [bystanders[0], sockets[0], bystanders[1]]) lost?.destroy();
    await closed;
    await source.fetchOne('1', context()).catch(() => {});
    expect(await source.fetchOne('1', context(AbortSignal.timeout(2000)))).toEqual({ id: 1 });
  });
});

describe('past its deadline a call over PGlite', () => {
  test('ends at once while it waits for the one session, and leaves it usable', async () => {
    const pglite = new PGlite(embeddedDirectory());
    closers.push(() => pglite.close());
    const release = await holdSession((work) => pglite.transaction(work));
    await expectTimeout(pglite, 'select 1 as id');
    const source = postgresSource({ client: pglite, select: ROWS, key: 'id' });
    await expect(readAll(await source.fetchAll(context(AbortSignal.timeout(100))))).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await release();
    expect(await readAll(await source.fetchAll(context()))).toHaveLength(6000);
  });
});

describe('a call that was aborted before it began', () => {
  const database = usePostgres();

  test.each(['pg', 'postgres.js'] as const)('takes no connection over %s', async (kind) => {
    const { client, close } = openClient(kind, database.url);
    closers.push(close);
    const source = postgresSource({ client, select: 'select 1 as id', key: 'id' });
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(source.fetchOne('1', context(signal))).rejects.toThrow('stopped');
    await expect(readAll(await source.fetchAll(context(signal)))).rejects.toThrow('stopped');
    expect(await source.fetchOne('1', context())).toEqual({ id: 1 });
  });

  test('shares no fate with others that ask at the same time', async () => {
    const { client, close } = openClient('pg', database.url);
    closers.push(close);
    const source = postgresSource({ client, select: 'select 1 as id', key: 'id' });
    const controller = new AbortController();
    const first = source.fetchOne('1', context(controller.signal));
    const second = source.fetchOne('1', context());
    controller.abort(new Error('stopped'));
    await expect(first).rejects.toThrow('stopped');
    expect(await second).toEqual({ id: 1 });
  });
});
