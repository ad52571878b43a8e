/** A log that has grown long, since nobody has pruned it. */
import { Pool } from 'pg';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { installScript } from '../src/change-log/scripts.ts';
import { type FollowingPostgresSource, type PostgresRow, postgresSource } from '../src/index.ts';
import { Mirror } from './mirror.ts';
import { usePrunableChangeLog } from './use-change-log.ts';

const database = usePrunableChangeLog(
  'create table t (id int primary key)',
  installScript([{ name: 't', columns: [] }]),
);
const { run, rows } = database;

beforeEach(() => run('delete from evercache.change_log'));

const prune = async (retention: string) =>
  Number((await rows<{ removed: string }>(`select evercache.prune('${retention}') as removed`))[0]!.removed);

/** It looks after the log beside the second refresh. */
async function refreshedTwice(): Promise<[FollowingPostgresSource<PostgresRow>, Mirror<PostgresRow>]> {
  const pool = new Pool({ connectionString: database.url });
  onTestFinished(() => pool.end());
  const source = postgresSource({ client: pool, select: 'select * from t', key: 'id', follow: { t: 'key' } });
  const mirror = new Mirror(source);
  await mirror.refresh();
  await mirror.refresh();
  return [source, mirror];
}

/** Entries of transactions long ago, a thousand of each. */
const BACKLOG = `insert into evercache.change_log (xid, tbl, key, op, at)
  select (10 + n / 1000)::text::xid8, 'public.t', n, 'U', now() - interval '25 hours' from generate_series(0, 209999) as n`;

test('removes a backlog in several turns', async () => {
  await run(BACKLOG);
  await run('insert into t values (1)');
  expect(await prune('24 hours')).toBe(200_000);
  await run(`update evercache.change_log set at = clock_timestamp() where xid = '215'`);
  expect([await prune('24 hours'), await prune('24 hours')]).toEqual([5_000, 0]);
  expect(await rows('select min(xid::text::int), count(*)::int from evercache.change_log')).toEqual([
    { min: 215, count: 5_001 },
  ]);
  expect(await prune('0')).toBe(5_001);
});

test('takes one transaction whole, however much it has written, and none of it before all of it is old', async () => {
  await run(`begin; insert into evercache.change_log (tbl, key, op, at)
    select 'public.t', n, 'U', case when n < 210000 then now() - interval '25 hours' else now() end
    from generate_series(1, 210000) as n; commit`);
  expect(await prune('24 hours')).toBe(0);
  expect(await prune('0')).toBe(210_000);
});

test('is called beside each refresh until a backlog is gone', async () => {
  await run(BACKLOG);
  const [source, mirror] = await refreshedTwice();
  await expect.poll(() => source.status().log).toMatchObject({ rows: 10_000 });
  await mirror.refresh();
  await expect.poll(() => source.status().log).toEqual({ rows: 0, oldest: null });
});

test('is called by a cache, which says how much there is: what is much is estimated', async () => {
  await run(`${BACKLOG.replace("- interval '25 hours'", '')}; analyze evercache.change_log`);
  const [source] = await refreshedTwice();
  await expect
    .poll(() => source.status().log)
    .toEqual({
      rows: 210_000,
      oldest: expect.any(String),
    });
});
