/** Scans by xmin beside transactions that commit in another order than they began. */
import { Client, Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasPostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { type FollowingPostgresSource, type PostgresRow, postgresSource } from '../src/index.ts';
import { testCommitOrder } from './commit-order.ts';
import { Mirror } from './mirror.ts';
import { context } from './use-client.ts';

const own = usePrivatePostgres({ settings: { max_prepared_transactions: '5' } });
let pool: Pool;
let writers: Client[];

beforeAll(async () => {
  if (hasPostgres()) await connect();
});

beforeEach(async () => {
  await pool.query(`set lock_timeout = '5s'; drop table if exists prices;
    create table prices (id int primary key, amount int not null);
    insert into prices select n, 0 from generate_series(1, 100) as n`);
});

afterEach(async () => {
  for (const writer of writers) await writer.query('rollback');
});

afterAll(disconnect);

async function connect(): Promise<void> {
  pool = new Pool({ connectionString: own.server.url });
  writers = [new Client(own.server.url), new Client(own.server.url)];
  for (const writer of writers) await writer.connect();
}

async function disconnect(): Promise<void> {
  for (const writer of writers ?? []) await writer.end();
  await pool?.end();
}

async function crash(): Promise<void> {
  await disconnect();
  await own.server.kill();
  await own.server.restart();
  await connect();
}

const sourceOf = (): FollowingPostgresSource<PostgresRow> =>
  postgresSource({
    client: pool,
    select: 'select id, amount from prices',
    key: 'id',
    follow: { prices: 'key' },
    followBy: 'xmin',
  });

async function mirrorOf(source = sourceOf()): Promise<Mirror<PostgresRow>> {
  const mirror = new Mirror(source);
  await mirror.refresh();
  return mirror;
}

describe('a scan by xmin', () => {
  testCommitOrder({ mirrorOf: () => mirrorOf(), writers: () => writers });

  test('brings more sub-transactions than a session keeps at hand, and none that was rolled back', async () => {
    const [early, late] = writers as [Client, Client];
    const mirror = await mirrorOf();
    await early.query('begin');
    for (let id = 11; id <= 90; id += 1) {
      await early.query(
        `savepoint s; update prices set amount = 1 where id = ${id}; ${id % 2 ? 'rollback to' : 'release'} s`,
      );
      if (id % 20 === 0) {
        await late.query(`update prices set amount = ${id} where id = 1`);
        await mirror.refresh();
        expect(mirror.changes).toBe('+1');
      }
    }
    await early.query('commit');
    await mirror.refresh();
    expect([mirror.upserted.length, mirror.rows.get('12')?.amount, mirror.rows.get('13')?.amount]).toEqual([40, 1, 0]);
  });

  test('brings a transaction that was prepared before and committed after', async () => {
    const [writer] = writers as [Client];
    const mirror = await mirrorOf();
    await writer.query(`begin; update prices set amount = 1 where id = 1; delete from prices where id = 2;
      prepare transaction 'two phases'`);
    await pool.query('update prices set amount = 3 where id = 3');
    await mirror.refresh();
    expect(mirror.changes).toBe('+3');
    await writer.query(`commit prepared 'two phases'`);
    await mirror.refresh();
    expect(mirror.changes).toBe('+1 -2');
  });

  test('reads nothing twice while a long transaction is open', async () => {
    const [open, busy] = writers as [Client, Client];
    await open.query('begin; update prices set amount = 1 where id = 1');
    const source = sourceOf();
    const mirror = await mirrorOf(source);
    for (let n = 2; n <= 40; n += 1) {
      await busy.query('update prices set amount = $1 where id = $1', [n]);
      await mirror.refresh();
      expect(mirror.changes).toBe(`+${n}`);
    }
    expect([mirror.read, source.status().window]).toEqual([39, expect.objectContaining({ transactions: 39 })]);
    const later = performance.now() + 120_000;
    vi.spyOn(performance, 'now').mockReturnValue(later);
    expect(source.status().warning).toMatch(
      /until it ends, every refresh goes through all rows that were written since$/,
    );
    vi.restoreAllMocks();
    await open.query('commit');
    await mirror.refresh();
    expect(mirror.changes).toBe('+1');
    await mirror.refresh();
    expect([mirror.changes, source.status().window]).toEqual(['', { transactions: 0, pinnedForMs: 0 }]);
  });

  test('that lists all keys sees one moment, and may be left and aborted in the middle', async () => {
    const [writer] = writers as [Client];
    const source = sourceOf();
    const mirror = await mirrorOf(source);
    await writer.query(
      'delete from prices where id = 1; insert into prices select n, 1 from generate_series(1001, 5000) as n',
    );
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
    for await (const [key, row] of delta.upserts) {
      if (amounts.size === 0) await writer.query('update prices set amount = 2; delete from prices where id = 2');
      amounts.add(row.amount);
      mirror.rows.set(key, row);
    }
    expect([[...amounts], [...delta.deletes]]).toEqual([[1], ['1']]);
    mirror.cursor = delta.cursor;
    await mirror.refresh();
    expect([mirror.rows.get('5000')?.amount, mirror.deleted]).toEqual([2, ['2']]);
    expect([pool.idleCount, pool.waitingCount]).toEqual([pool.totalCount, 0]);
  });

  test('that waits for a TRUNCATE does not take the table for what it was, nor for empty', async () => {
    const [writer] = writers as [Client];
    const mirror = await mirrorOf();
    await writer.query('begin; truncate prices; insert into prices values (7, 7)');
    const waiting = mirror.refresh();
    const waits = async () =>
      (await pool.query(`select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'`)).rows[0].n;
    await expect.poll(waits).toBe(1);
    await writer.query('commit');
    expect(await waiting).toBe('resync');
    expect([...mirror.rows.values()]).toEqual([{ id: 7, amount: 7 }]);
  });

  test('does not take rows of a table that a crash has emptied for there', async () => {
    await pool.query('alter table prices set unlogged');
    const mirror = await mirrorOf();
    await crash();
    const after = new Mirror(sourceOf());
    after.cursor = mirror.cursor;
    expect([await after.refresh(), after.rows.size]).toEqual(['resync', 0]);
  });

  test('over a crash, which gives out ids again, begins anew', async () => {
    const mirror = await mirrorOf();
    const takeIds = (count: number): string => 'begin; select pg_current_xact_id(); rollback;'.repeat(count);
    await pool.query(takeIds(50));
    expect(await mirror.refresh()).toBe('delta');
    await crash();
    await pool.query('update prices set amount = 7 where id = 1');
    await pool.query(takeIds(100));
    const after = new Mirror(sourceOf());
    after.cursor = mirror.cursor;
    expect([await after.refresh(), after.rows.get('1')?.amount]).toEqual(['resync', 7]);
  });
});
