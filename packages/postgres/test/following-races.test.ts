/** What only a real server shows: transactions that commit in another order than they began. */
import { Client, Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasPostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { type FollowingPostgresSource, type PostgresRow, postgresSource } from '../src/index.ts';
import { testCommitOrder } from './commit-order.ts';
import { CHANGE_LOG, Mirror } from './mirror.ts';
import { context, openClient, readAll, type TestClient } from './use-client.ts';

/** Of its own: what another database has under way would hold the windows open. */
const own = usePrivatePostgres();
let url: string;
let pool: Pool;
let writers: Client[];

beforeAll(async () => {
  if (!hasPostgres()) return;
  url = await own.server.createDatabase();
  pool = new Pool({ connectionString: url });
  writers = [new Client(url), new Client(url)];
  for (const writer of writers) await writer.connect();
  await pool.query(CHANGE_LOG);
});

beforeEach(async () => {
  await pool.query(`set lock_timeout = '5s'; drop table if exists prices; create table prices (id int primary key, amount int not null);
    insert into prices select n, 0 from generate_series(1, 100) as n; select evercache.follow('prices')`);
});

afterEach(async () => {
  for (const writer of writers) await writer.query('rollback');
});

afterAll(async () => {
  for (const writer of writers ?? []) await writer.end();
  await pool?.end();
});

const OPTIONS = { select: 'select id, amount from prices', key: 'id', follow: { prices: 'key' } } as const;

async function mirrorOf(client: TestClient['client'] = pool): Promise<Mirror<PostgresRow>> {
  const mirror = new Mirror(postgresSource({ client, ...OPTIONS }));
  await mirror.refresh();
  return mirror;
}

describe('a delta', () => {
  testCommitOrder({ mirrorOf: () => mirrorOf(), writers: () => writers });

  test('reads nothing twice while a long transaction holds the window open', async () => {
    const [open, busy] = writers as [Client, Client];
    await open.query('begin; update prices set amount = 1 where id = 1');
    const source = postgresSource({ client: pool, ...OPTIONS });
    const mirror = new Mirror(source);
    await mirror.refresh();
    for (let n = 2; n <= 40; n += 1) {
      await busy.query('update prices set amount = $1 where id = $1', [n]);
      await mirror.refresh();
      expect(mirror.changes).toBe(`+${n}`);
    }
    expect([mirror.read, source.status().window]).toEqual([39, expect.objectContaining({ transactions: 39 })]);
    const later = performance.now() + 120_000;
    vi.spyOn(performance, 'now').mockReturnValue(later);
    expect(source.status().warning).toMatch(/^a transaction of this server has been open for at least 1[12]\d s/);
    vi.restoreAllMocks();
    await open.query('commit');
    await mirror.refresh();
    expect(mirror.changes).toBe('+1');
    await mirror.refresh();
    expect(source.status()).toMatchObject({ window: { transactions: 0, pinnedForMs: 0 } });
  });

  test('keeps still about transactions that were rolled back, wholly or to a savepoint', async () => {
    const [writer] = writers as [Client];
    const mirror = await mirrorOf();
    await writer.query('begin; update prices set amount = 1; rollback');
    await writer.query(
      'begin; update prices set amount = 1 where id = 1; savepoint s; delete from prices where id = 2',
    );
    for (let n = 0; n < 70; n += 1) await writer.query(`savepoint s${n}; update prices set amount = 2 where id = 3`);
    await writer.query('rollback to s; commit');
    await mirror.refresh();
    expect(mirror.changes).toBe('+1');
  });

  test('of rows of another server with the ids of transactions to come loses none of those', async () => {
    const [writer] = writers as [Client];
    const source = postgresSource({ client: pool, ...OPTIONS });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await mirror.refresh();
    // The log was just looked after, and will not be again while this test runs.
    await expect.poll(() => source.status().log).toBeDefined();
    // As a dump of a server with larger transaction ids brings them along.
    const next = '(pg_snapshot_xmax(pg_current_snapshot())::text::numeric + 3)::text::xid8';
    await pool.query(
      `insert into evercache.change_log (xid, tbl, key, op) values (${next}, 'public.prices', '50', 'U')`,
    );
    mirror.cursor = undefined;
    await mirror.refresh();
    for (let id = 1; id <= 6; id += 1) {
      await writer.query('update prices set amount = 7 where id = $1', [id]);
      await mirror.refresh();
      expect([id, mirror.rows.get(String(id))?.amount]).toEqual([id, 7]);
    }
    expect(mirror.rounds).toEqual({ delta: 7, snapshot: 2, resync: 0 });
  });

  test('does not cost the square of what has changed', async () => {
    const hurried = new Pool({ connectionString: url, statement_timeout: 3000 });
    await pool.query(`create table links (agent_id int, price_id int, primary key (agent_id, price_id));
      insert into links select n, 1 + n % 100 from generate_series(1, 50000) as n`);
    const source = postgresSource({
      client: hurried,
      ...OPTIONS,
      follow: { prices: { sql: 'select price_id from links join changed on price_id = changed.key::int' } },
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await mirror.refresh();
    await expect.poll(() => source.status().log).toBeDefined();
    // As many transactions as a long one may keep in the window, each with a change of its own.
    await pool.query(`insert into evercache.change_log (xid, tbl, key, op)
      select (pg_snapshot_xmax(pg_current_snapshot())::text::numeric + n)::text::xid8, 'public.prices', n::text, 'U'
      from generate_series(1, 20000) as n`);
    expect([await mirror.refresh(), mirror.upserted.length, mirror.rows.size]).toEqual(['delta', 100, 100]);
    expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    await pool.query('drop table links; truncate evercache.change_log');
    await hurried.end();
  });

  test.each(['pg', 'postgres.js'] as const)(
    'over %s that waits for a table to be rewritten finds its rows',
    async (kind) => {
      const [ddl] = writers as [Client];
      const client = openClient(kind, url);
      try {
        await client.run('alter table prices add note int');
        const source = postgresSource({ client: client.client, ...OPTIONS });
        const mirror = new Mirror(source);
        await mirror.refresh();
        await ddl.query('update prices set amount = 9 where id = 9');
        await ddl.query('begin; alter table prices alter note type text');
        const waiting = Promise.all([mirror.refresh(), source.fetchOne('9', context()), sizeOf(source)]);
        await expect.poll(waitingForLocks).toBe(3);
        await ddl.query('commit');
        const [, one, whole] = await waiting;
        expect([mirror.rows.size, one, whole]).toEqual([100, { id: 9, amount: 9 }, 100]);
      } finally {
        await client.close();
      }
    },
  );

  test('streams one moment, and may be left and aborted in the middle', async () => {
    const [writer] = writers as [Client];
    const source = postgresSource({ client: pool, ...OPTIONS });
    const mirror = new Mirror(source);
    await mirror.refresh();
    await writer.query('insert into prices select n, 1 from generate_series(1001, 5000) as n');
    const large = async (signal?: AbortSignal) => {
      const delta = await source.fetchChanges(mirror.cursor, context(signal));
      if (delta === 'resync') throw new Error('expected a delta');
      return delta;
    };
    for await (const _ of (await large()).upserts) break;
    const controller = new AbortController();
    const aborted = (async () => {
      for await (const _ of (await large(controller.signal)).upserts) controller.abort(new Error('too late'));
    })();
    await expect(aborted).rejects.toThrow('too late');
    const delta = await large();
    const amounts = new Set<unknown>();
    for await (const [, row] of delta.upserts) {
      if (amounts.size === 0) await writer.query('update prices set amount = 2');
      amounts.add(row.amount);
    }
    expect([...amounts]).toEqual([1]);
    mirror.cursor = delta.cursor;
    await mirror.refresh();
    expect(mirror.rows.get('5000')?.amount).toBe(2);
    expect([pool.idleCount, pool.waitingCount]).toEqual([pool.totalCount, 0]);
  });

  test('does without prepared statements where a pooler hands out connections by the transaction', async () => {
    const single = new Pool({ connectionString: url, max: 1 });
    const source = postgresSource({ client: single, ...OPTIONS });
    const mirror = new Mirror(source);
    await mirror.refresh();
    const names = async () => (await single.query('select name from pg_prepared_statements')).rows.length;
    await mirror.refresh();
    await source.fetchOne('1', context());
    expect(await names()).toBe(2);
    // The next connection of the server knows nothing of what was prepared over the last one.
    await single.query('deallocate all');
    await pool.query('update prices set amount = 5 where id = 5');
    await mirror.refresh();
    expect([mirror.changes, await source.fetchOne('5', context())]).toEqual(['+5', { id: 5, amount: 5 }]);
    expect([await mirror.refresh(), await names()]).toEqual(['delta', 0]);
    await single.end();
  });

  test('needs no more than the right to read the log', async () => {
    await pool.query(`drop role if exists evercache_reader; create role evercache_reader;
      grant select on prices to evercache_reader`);
    const reader = openClient('pg', url, { role: 'evercache_reader' });
    try {
      const source = postgresSource({ client: reader.client, ...OPTIONS });
      const mirror = new Mirror(source);
      await mirror.refresh();
      expect(source.status()).toMatchObject({ tier: 'snapshot', reason: 'this role may not read the change log' });
      await pool.query(`grant usage on schema evercache to evercache_reader;
        grant select on evercache.meta, evercache.change_log, evercache.tables to evercache_reader`);
      await mirror.refresh();
      await pool.query('update prices set amount = 5 where id = 5');
      expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+5']);
      await expect.poll(() => source.status().upkeepError).toMatch('42501');
    } finally {
      await reader.close();
      await pool.query('drop owned by evercache_reader; drop role evercache_reader');
    }
  });

  test('from another database is everything anew, also of one that was copied', async () => {
    const mirror = await mirrorOf();
    const { rows } = await pool.query('select current_database() as name');
    const copy = `${rows[0].name}_copy`;
    const admin = new Client({ connectionString: new URL('/postgres', url).href });
    await admin.connect();
    for (const writer of writers) await writer.end();
    await pool.end();
    await admin.query(`create database ${copy} template ${rows[0].name}`);
    const restored = new Pool({ connectionString: new URL(`/${copy}`, url).href });
    try {
      await restored.query('update prices set amount = 1 where id = 1');
      expect(await postgresSource({ client: restored, ...OPTIONS }).fetchChanges(mirror.cursor, context())).toBe(
        'resync',
      );
    } finally {
      await restored.end();
      await admin.query(`drop database ${copy} with (force)`);
      await admin.end();
      pool = new Pool({ connectionString: url });
      writers = [new Client(url), new Client(url)];
      for (const writer of writers) await writer.connect();
    }
  });
});

async function sizeOf(source: FollowingPostgresSource<PostgresRow>): Promise<number> {
  return (await readAll((await source.fetchAll(context())).entries)).length;
}

async function waitingForLocks(): Promise<number> {
  const { rows } = await pool.query(`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`);
  return rows[0].n;
}
