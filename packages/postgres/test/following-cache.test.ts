/** A cache on top of a source that follows, and what is left when eight writers have come to rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TTLCacheService } from 'evercache';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasPostgres, usePostgres } from '../../../test/support/use-postgres.ts';
import { type PostgresRow, postgresSource } from '../src/index.ts';
import { CHANGE_LOG, Mirror } from './mirror.ts';
import { openClient, type TestClient } from './use-client.ts';

const server = usePostgres();
let pool: Pool;

beforeAll(async () => {
  if (!hasPostgres()) return;
  pool = new Pool({ connectionString: server.url });
  await pool.query(CHANGE_LOG);
});

beforeEach(async () => {
  await pool.query(`drop table if exists prices; create table prices (id int primary key, amount int not null);
    insert into prices select n, 0 from generate_series(1, 100) as n; select evercache.follow('prices')`);
});

afterAll(async () => {
  await pool?.end();
});

const OPTIONS = { select: 'select id, amount from prices', key: 'id', follow: { prices: 'key' } } as const;

async function mirrorOf(client: TestClient['client'] = pool): Promise<Mirror<PostgresRow>> {
  const mirror = new Mirror(postgresSource({ client, ...OPTIONS }));
  await mirror.refresh();
  return mirror;
}

describe('a cache that follows the change log', () => {
  test('reads one row where one row of 10,000 has changed', async () => {
    await pool.query('insert into prices select n, 0 from generate_series(101, 10000) as n');
    let read = 0;
    const source = postgresSource({
      client: pool,
      ...OPTIONS,
      map: (row) => {
        read += 1;
        return row;
      },
    });
    await using cache = new TTLCacheService({ name: 'prices', source });
    await cache.start();
    const [before, other] = [cache.get('4711'), cache.get('1')];
    expect([read, before]).toEqual([10_000, { id: 4711, amount: 0 }]);
    read = 0;
    expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', kind: 'delta' });
    await pool.query('update prices set amount = 1 where id = 4711');
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', kind: 'delta', updated: 1 });
    expect([read, cache.get('4711'), cache.get('1') === other]).toEqual([1, { id: 4711, amount: 1 }, true]);
    await cache.invalidate('7');
    await pool.query('delete from prices where id = 4711; update prices set amount = 2 where id = 8');
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', kind: 'delta', updated: 1, removed: 1 });
    expect([cache.get('4711'), cache.get('7'), cache.size]).toEqual([undefined, { id: 7, amount: 0 }, 9999]);
    expect(cache.status().source).toMatchObject({ tier: 'change log', resyncs: { count: 0 } });
  });

  test('equals the table when the writers have come to rest, whatever they did', { timeout: 30_000 }, async () => {
    const others = [openClient('postgres.js', server.url), openClient('pg', server.url)];
    const mirrors = [await mirrorOf(), await mirrorOf(others[0]!.client), await mirrorOf(others[1]!.client)];
    let running = true;
    const deadline = sleep(3000).then(() => {
      running = false;
    });
    const writing = [...Array(8)].map(() => writeAtRandom(server.url, () => running));
    const pruning = (async () => {
      for (; running; await sleep(150)) await pool.query(`select evercache.prune('200 milliseconds')`);
    })();
    const following = mirrors.map(async (mirror, index) => {
      for (; running; await sleep([10, 40, 400][index])) await mirror.refresh();
    });
    await Promise.all([deadline, pruning, ...following]);
    const transactions = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
    for (const mirror of mirrors) await mirror.refresh();
    const { rows } = await pool.query('select id, amount from prices order by id');
    const truth = rows.map((row) => [String(row.id), row]);
    for (const mirror of mirrors) {
      const held = [...mirror.rows].toSorted(([a], [b]) => Number(a) - Number(b));
      expect(held).toEqual(truth);
    }
    expect(transactions).toBeGreaterThan(100);
    expect(mirrors[0]!.rounds.delta).toBeGreaterThan(20);
    for (const other of others) await other.close();
  });
});

/** Transactions of every kind until told to stop; how many were committed. */
async function writeAtRandom(url: string, running: () => boolean): Promise<number> {
  const client = new Client(url);
  await client.connect();
  await client.query(`set deadlock_timeout = '10ms'`);
  const below = (limit: number): number => Math.floor(Math.random() * limit);
  const id = () => 1 + below(300);
  const statements = [
    () => `update prices set amount = ${below(1e9)} where id = ${id()}`,
    () => `update prices set amount = ${below(1e9)} where id = ${id()}`,
    () => `delete from prices where id = ${id()}`,
    () => `insert into prices values (${id()}, ${below(1e9)}) on conflict (id) do update set amount = excluded.amount`,
    () => `update prices set id = id + ${below(300) - 150} where id = ${id()}`,
    () => `update prices set amount = amount + 1 where id between ${id()} and ${id()}`,
  ];
  let committed = 0;
  while (running()) {
    try {
      await client.query('begin');
      for (let step = below(4); step >= 0; step -= 1) {
        const nested = below(3) === 0;
        if (nested) await client.query('savepoint s');
        await client.query(below(300) === 0 ? 'truncate prices' : statements[below(statements.length)]!());
        if (nested) await client.query(below(2) === 0 ? 'release s' : 'rollback to s');
        if (below(4) === 0) await sleep(below(40) === 0 ? 200 : below(5));
      }
      await client.query(below(6) === 0 ? 'rollback' : 'commit');
      committed += 1;
    } catch {
      // A deadlock or a key that is taken.
      await client.query('rollback');
    }
  }
  await client.end();
  return committed;
}
