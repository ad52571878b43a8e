import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { postgresSource } from '../src/index.ts';
import { CLIENT_KINDS, context, openClient, readAll, useClient } from './use-client.ts';

const ROWS = 'select id, version from snapshot_rows';
const SCRIPT = `drop table if exists snapshot_rows; create table snapshot_rows as
  select n as id, 0 as version from generate_series(1, 6000) as n`;

describe.each(CLIENT_KINDS)('a snapshot over %s', (kind) => {
  const database = useClient(kind, SCRIPT);

  test('lets others run between its batches', async () => {
    let turns = 0;
    let reading = true;
    const count = async () => {
      while (reading) {
        await nextTurn();
        turns += 1;
      }
    };
    const counting = count();
    const source = postgresSource({ client: database.client, select: ROWS, key: 'id' });
    expect(await readAll(await source.fetchAll(context()))).toHaveLength(6000);
    reading = false;
    await counting;
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  test('may be left at any row, by leaving, by throwing and by aborting', async () => {
    const source = postgresSource({ client: database.client, select: ROWS, key: 'id' });
    for await (const _ of await source.fetchAll(context())) break;
    const failed = (async () => {
      for await (const _ of await source.fetchAll(context())) throw new Error('enough');
    })();
    await expect(failed).rejects.toThrow('enough');
    const controller = new AbortController();
    const aborted = (async () => {
      for await (const _ of await source.fetchAll(context(controller.signal))) controller.abort(new Error('too late'));
    })();
    await expect(aborted).rejects.toThrow('too late');
    // All of it is over: a lock that waits for every reader is had at once.
    await database.run(`do $$ begin set local lock_timeout = '1s'; lock table snapshot_rows; end $$`);
    expect(await readAll(await source.fetchAll(context()))).toHaveLength(6000);
  });

  test('is read in a transaction that sees one moment and cannot write', async () => {
    const select = `select 1 as id, current_setting('transaction_isolation') as isolation,
      current_setting('transaction_read_only') as read_only`;
    const source = postgresSource({ client: database.client, select, key: 'id' });
    const row = { id: 1, isolation: 'repeatable read', read_only: 'on' };
    expect(await readAll(await source.fetchAll(context()))).toEqual([['1', row]]);
  });

  test('asks nothing before it is read', async () => {
    const source = postgresSource({ client: database.client, select: 'select * from missing', key: 'id' });
    const entries = await source.fetchAll(context());
    await expect(readAll(entries)).rejects.toThrow('42P01');
  });
});

describe.each(['pg', 'postgres.js'] as const)('a snapshot over %s', (kind) => {
  const database = usePostgres();

  test('shows one moment, whatever is committed while it is read', async () => {
    const { client, run, close } = openClient(kind, database.url);
    try {
      await run(SCRIPT);
      const versions = new Set<unknown>();
      let read = 0;
      const source = postgresSource({ client, select: ROWS, key: 'id', map: (row) => row.version });
      for await (const [, version] of await source.fetchAll(context())) {
        versions.add(version);
        read += 1;
        if (read === 100) {
          await run(`update snapshot_rows set version = 1; delete from snapshot_rows where id % 2 = 0;
            insert into snapshot_rows select n, 1 from generate_series(10001, 10100) as n`);
        }
      }
      expect({ read, versions: [...versions] }).toEqual({ read: 6000, versions: [0] });
      expect(await readAll(await source.fetchAll(context()))).toHaveLength(3100);
    } finally {
      await close();
    }
  });

  test('fails when its connection is killed half-way, and the next one works', async () => {
    const { client, run, close } = openClient(kind, database.url);
    try {
      await run(SCRIPT);
      const source = postgresSource({ client, select: ROWS, key: 'id' });
      let read = 0;
      const torn = (async () => {
        for await (const _ of await source.fetchAll(context())) {
          read += 1;
          if (read === 100) await killOthers(database.url);
        }
      })();
      await expect(torn).rejects.toMatchObject({ name: 'PostgresError', reachable: false });
      expect(read).toBeLessThan(6000);
      expect(await readAll(await source.fetchAll(context()))).toHaveLength(6000);
    } finally {
      await close();
    }
  });
});

describe('a snapshot over pg', () => {
  const database = usePostgres();
  let pool: Pool | undefined;
  afterEach(async () => {
    await pool?.end();
  });

  test('gives its connection back in every case', async () => {
    pool = new Pool({ connectionString: database.url, max: 1 });
    await pool.query(SCRIPT);
    const whole = { total: 1, idle: 1, waiting: 0 };
    const state = () => ({ total: pool?.totalCount, idle: pool?.idleCount, waiting: pool?.waitingCount });
    const source = postgresSource({ client: pool, select: ROWS, key: 'id' });
    await readAll(await source.fetchAll(context()));
    expect(state()).toEqual(whole);
    for await (const _ of await source.fetchAll(context())) {
      expect(state()).toEqual({ total: 1, idle: 0, waiting: 0 });
      break;
    }
    expect(state()).toEqual(whole);
    const wrong = postgresSource({ client: pool, select: 'select * from missing', key: 'id' });
    await expect(readAll(await wrong.fetchAll(context()))).rejects.toThrow('42P01');
    expect(state()).toEqual(whole);
    await source.fetchOne('1', context());
    expect(state()).toEqual(whole);
    const { rows } = await pool.query(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and state like 'idle in%'`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});

/** Ends every other connection to the database. */
async function killOthers(url: string): Promise<void> {
  const killer = new Client(url);
  await killer.connect();
  await killer.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`);
  await killer.end();
}
