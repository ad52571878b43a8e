/** Caches and mirrors of PostgreSQL that are kept on disk: what a restart reads of the database, and does without it. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onDisk, TTLCacheService } from 'evercache';
import { Pool } from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type FollowBy, type PostgresRow, postgresSource } from '../src/index.ts';
import { PRICES } from './mirror.ts';
import { mirrorOf, useAgentTables } from './use-mirror.ts';

const agents = useAgentTables(PRICES);
let directory: string;

beforeEach(async ({ onTestFinished: whenFinished }) => {
  directory = await mkdtemp(join(tmpdir(), 'evercache-postgres-disk-'));
  // Registered first, so it comes last: until they are stopped, caches write there.
  whenFinished(() => rm(directory, { recursive: true, force: true }));
});

/** A client of a process of its own; `down`: it reaches nobody. */
function openPool(): { readonly pool: Pool; down: boolean } {
  const pool = new Pool({ connectionString: agents.url });
  pool.on('error', () => {});
  onTestFinished(() => pool.end());
  const opened = { pool, down: false };
  const connect = pool.connect.bind(pool);
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  pool.connect = ((done: Parameters<typeof connect>[0]) =>
    opened.down ? done(refused, undefined, () => {}) : connect(done)) as never;
  return opened;
}

const doubled = (row: PostgresRow): PostgresRow => ({ ...row, amount: 2 * Number(row.amount) });

/** `read` counts the rows that came from the database, unless `map` makes something else of them. */
function pricesOf(client: Pool, map?: (row: PostgresRow) => PostgresRow, followBy: FollowBy = 'log') {
  const counts = { read: 0 };
  const count = (row: PostgresRow): PostgresRow => {
    counts.read += 1;
    return row;
  };
  const source = postgresSource({
    client,
    select: 'select id, amount from prices',
    key: 'id',
    follow: { prices: 'key' },
    followBy,
    map: map ?? count,
  });
  const kept = onDisk(source, { path: join(directory, 'prices') });
  // The first refresh is waited for, where there is a database: on a busy machine it takes longer than usual.
  const cache = new TTLCacheService({ name: 'prices', source: kept, softTimeout: '30s' });
  onTestFinished(() => cache.stop());
  return { cache, counts };
}

describe('a cache that follows the change log', () => {
  test('reads after a restart what has changed meanwhile, and nothing else', async () => {
    const first = pricesOf(agents.pool);
    await first.cache.start();
    await agents.pool.query('update prices set amount = 0 where id = 7');
    await first.cache.refresh();
    await first.cache.stop();
    await agents.pool.query('update prices set amount = 0 where id = 8; delete from prices where id = 9');
    const second = pricesOf(openPool().pool);
    await second.cache.start();
    expect(second.counts.read).toBe(1);
    expect(second.cache.size).toBe(99);
    expect(['7', '8', '10'].map((id) => second.cache.get(id))).toEqual([
      { id: 7, amount: 0 },
      { id: 8, amount: 0 },
      { id: 10, amount: 10 },
    ]);
    expect(second.cache.reports().map(({ reason, kind }) => [reason, kind])).toEqual([
      ['restore', 'snapshot'],
      ['start', 'delta'],
    ]);
    expect(second.cache.status()).toMatchObject({ state: 'live', source: { resyncs: { count: 0 } } });
  });

  test('serves what it has while the database is down, and goes on by one delta when it is back', async () => {
    const first = pricesOf(agents.pool);
    await first.cache.start();
    await first.cache.stop();
    const opened = openPool();
    opened.down = true;
    const second = pricesOf(opened.pool);
    await second.cache.start();
    expect(second.cache.status()).toMatchObject({ state: 'degraded', size: 100 });
    expect(await second.cache.fetch('7')).toEqual({ id: 7, amount: 7 });
    await agents.pool.query('update prices set amount = 0 where id = 7');
    opened.down = false;
    await second.cache.refresh();
    expect(second.cache.get('7')).toEqual({ id: 7, amount: 0 });
    expect(second.counts.read).toBe(1);
    expect(second.cache.status()).toMatchObject({ state: 'live', source: { resyncs: { count: 0 } } });
  });

  test('reads everything where another function makes the rows', async () => {
    const first = pricesOf(agents.pool);
    await first.cache.start();
    await first.cache.stop();
    const second = pricesOf(openPool().pool, doubled);
    await second.cache.start();
    expect(second.cache.get('7')).toEqual({ id: 7, amount: 14 });
    expect(second.cache.status().lastRefresh).toMatchObject({ kind: 'snapshot', reason: 'resync' });
  });
});

describe('a mirror', () => {
  const kept = (client: Pool) =>
    mirrorOf(client, { policy: (source) => onDisk(source, { path: join(directory, 'agents') }) });

  test('serves its views while the database is down, and goes on by what has changed', async () => {
    const first = kept(agents.pool);
    await first.mirror.start();
    await agents.pool.query(`update tools set name = 'spanner' where id = 1`);
    await first.mirror.refresh();
    await first.mirror.stop();
    const opened = openPool();
    opened.down = true;
    const second = kept(opened.pool);
    await second.mirror.start();
    expect(second.names('1')).toEqual(['spanner', 'tool 2']);
    expect(await second.view.fetch('2')).toHaveLength(1);
    expect(second.mirror.status()).toMatchObject({ state: 'degraded', size: 11 });
    opened.down = false;
    await agents.pool.query(`update tools set name = 'saw' where id = 2`);
    await second.mirror.refresh();
    expect([second.names('1'), second.names('2')]).toEqual([['spanner', 'saw'], ['saw']]);
    expect(second.counts.read).toBe(1);
    expect(second.mirror.status()).toMatchObject({ state: 'live', source: { resyncs: { count: 0 } } });
  });

  test('keeps nothing of what was invalidated, under whatever name, until it has been read again', async () => {
    const first = kept(openPool().pool);
    await first.mirror.start();
    await expect.poll(() => readdir(directory)).toEqual(['agents']);
    await first.view.invalidate('1');
    await first.mirror.stop();
    const opened = openPool();
    opened.down = true;
    const second = kept(opened.pool);
    await second.mirror.start();
    // Read again in time, or not there.
    expect([undefined, 2]).toContain(second.view.get('1')?.length);
    await second.mirror.stop();

    const third = kept(agents.pool);
    await third.mirror.start();
    await third.mirror.invalidateAll();
    await third.mirror.refresh();
    expect(third.names('1')).toEqual(['tool 1', 'tool 2']);
  });

  test('that cannot reach the database keeps nothing of what was invalidated', async () => {
    const opened = openPool();
    const first = kept(opened.pool);
    await first.mirror.start();
    await expect.poll(() => readdir(directory)).toEqual(['agents']);
    opened.down = true;
    await first.mirror.tables.tools.invalidate('1');
    expect(await readdir(directory)).toEqual([]);
    expect(first.names('3')).toEqual(['tool 3']);
    opened.down = false;
    await first.mirror.refresh();
    await first.mirror.stop();
    expect(await readdir(directory)).toEqual(['agents']);
  });
});

test('a cache that scans by xmin serves what it has, and reads everything once, since its keys were in the process', async () => {
  const first = pricesOf(agents.pool, undefined, 'xmin');
  await first.cache.start();
  await agents.pool.query('delete from prices where id = 7');
  await first.cache.refresh();
  await first.cache.stop();
  await agents.pool.query('delete from prices where id = 8');
  const second = pricesOf(openPool().pool, undefined, 'xmin');
  await second.cache.start();
  expect(second.cache.reports().map(({ reason, kind }) => [reason, kind])).toEqual([
    ['restore', 'snapshot'],
    // No resync: a position that cannot leave its process is not in the file.
    ['start', 'snapshot'],
  ]);
  expect([second.cache.size, second.cache.get('7'), second.cache.get('8')]).toEqual([98, undefined, undefined]);
  await agents.pool.query('delete from prices where id = 9');
  expect(await second.cache.refresh()).toMatchObject({ kind: 'delta', removed: 1 });
});
