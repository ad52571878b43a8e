/** On a hot standby, whose snapshots do not say which transactions are under way; and when it becomes the primary. */
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { copyOf } from '../../../test/support/copy-of-postgres.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../../../test/support/private-postgres.ts';
import { hasPostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { type FollowBy, type FollowingPostgresSource, type PostgresRow, postgresSource } from '../src/index.ts';
import { CHANGE_LOG, Mirror, PRICES } from './mirror.ts';

const own = usePrivatePostgres();
let primary: Pool;
let standby: PrivatePostgres;
let replica: Pool;

beforeAll(async () => {
  if (!hasPostgres()) return;
  primary = open(own.server.url);
  await primary.query(CHANGE_LOG);
  standby = await startPrivatePostgres(copyOf(own.server, 'standby', { wal_retrieve_retry_interval: '100ms' }));
  replica = open(standby.url);
});

beforeEach(async () => {
  await primary.query(PRICES);
  await caughtUp();
});

afterAll(async () => {
  await replica?.end();
  await primary?.end();
  await standby?.stop();
});

function open(connectionString: string): Pool {
  const pool = new Pool({ connectionString });
  // The server goes away under it.
  pool.on('error', () => {});
  return pool;
}

/** Whatever was committed at the primary is to be seen at the standby. */
async function caughtUp(): Promise<void> {
  const { rows } = await primary.query('select pg_current_wal_lsn()::text as lsn');
  const isReplayed = async () =>
    (await replica.query('select pg_last_wal_replay_lsn() >= $1::pg_lsn as "is"', [rows[0].lsn])).rows[0].is;
  await expect.poll(isReplayed, { timeout: 10_000 }).toBe(true);
}

const sourceOn = (client: Pool, followBy: FollowBy): FollowingPostgresSource<PostgresRow> =>
  postgresSource({ client, select: 'select id, amount from prices', key: 'id', follow: { prices: 'key' }, followBy });

describe('a source that follows on a standby', () => {
  test.each([
    ['log', 'change log'],
    ['xmin', 'xmin'],
  ] as const)(
    'by %s brings a transaction that commits after a later one was read, with any number of sub-transactions',
    async (followBy, tier) => {
      const [early, late] = [new Client(own.server.url), new Client(own.server.url)];
      await Promise.all([early.connect(), late.connect()]);
      try {
        const source = sourceOn(replica, followBy);
        const mirror = new Mirror(source);
        await mirror.refresh();
        expect(source.status()).toMatchObject({ tier });
        await early.query('begin; update prices set amount = -1 where id = 1');
        for (let id = 11; id <= 90; id += 1) {
          await early.query(`savepoint s; update prices set amount = -1 where id = ${id}; release s`);
        }
        await late.query('update prices set amount = -2 where id = 2');
        await caughtUp();
        expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+2']);
        await early.query('update prices set amount = -1 where id = 2; commit');
        await caughtUp();
        expect([await mirror.refresh(), mirror.upserted.length]).toEqual(['delta', 82]);
        expect([mirror.rows.get('1')?.amount, mirror.rows.get('2')?.amount]).toEqual([-1, -1]);
        expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
      } finally {
        await Promise.all([early.end(), late.end()]);
      }
    },
  );

  test('reads everything anew where it goes over to another server, and where the standby is promoted', async () => {
    const tiers = ['log', 'xmin'] as const;
    const there = tiers.map((followBy) => new Mirror(sourceOn(primary, followBy)));
    const here = tiers.map((followBy) => new Mirror(sourceOn(replica, followBy)));
    for (const mirror of [...there, ...here]) await mirror.refresh();
    // What the standby never hears of.
    await standby.kill();
    await primary.query('update prices set amount = -1 where id <= 40');
    for (const mirror of there) await mirror.refresh();
    await own.server.kill();
    await standby.restart();
    await expect
      .poll(() => replica.query('select pg_promote(true)').then(({ rows }) => rows[0]), { timeout: 15_000 })
      .toEqual({ pg_promote: true });
    await replica.query('update prices set amount = -3 where id = 3');
    const moved = there.map(({ cursor, rows }, index) => {
      const mirror = new Mirror(sourceOn(replica, tiers[index]!));
      mirror.cursor = cursor;
      for (const [key, row] of rows) mirror.rows.set(key, row);
      return mirror;
    });
    for (const mirror of [...moved, ...here]) {
      expect(await mirror.refresh()).toBe('resync');
      expect([mirror.rows.get('3')?.amount, mirror.rows.get('4')?.amount]).toEqual([-3, 4]);
      expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    }
  });
});
