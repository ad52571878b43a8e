/** Scans by xmin where the transaction ids of rows begin anew, at a server whose counter was set to the end of the circle. */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { serverOwner } from '../../../test/support/postgres-binaries.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../../../test/support/private-postgres.ts';
import { type FollowingPostgresSource, type PostgresRow, postgresSource } from '../src/index.ts';
import { Mirror } from './mirror.ts';

/** 295 ids before they begin anew with 3. */
const NEAR_THE_END = 4_294_967_000;

/** PostgreSQL's own programs, with the one that sets the counter. */
const programs = [process.env.TEST_POSTGRES_PROGRAMS ?? '', ...debianPrograms()].find((directory) =>
  existsSync(join(directory, 'pg_resetwal')),
);

function debianPrograms(): string[] {
  const root = '/usr/lib/postgresql';
  return existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : [];
}

let server: PrivatePostgres;
let pool: Pool;

beforeAll(async () => {
  if (programs === undefined) return;
  vi.stubEnv('TEST_POSTGRES_PROGRAMS', programs);
  server = await startPrivatePostgres({ settings: { autovacuum: 'off' } });
  await run(`create table prices (id int primary key, amount int not null);
    insert into prices select n, 0 from generate_series(1, 50) as n`);
  // Rows of transactions whose ids are given out again: 3 and the next ones are those of the server's first breath.
  await setCounter(NEAR_THE_END);
  pool = new Pool({ connectionString: server.url });
  pool.on('error', () => {});
}, 60_000);

beforeEach((context) => {
  if (programs === undefined) context.skip('no pg_resetwal');
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await pool?.end();
  await server?.stop();
});

async function run(script: string, url = server.url): Promise<void> {
  const client = new Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(script);
  } finally {
    await client.end();
  }
}

/** All rows are frozen, so that nobody asks for the old ids any more. */
async function setCounter(xid: number): Promise<void> {
  for (const database of ['postgres', 'template1'])
    await run('vacuum freeze', new URL(`/${database}`, server.url).href);
  await run('checkpoint');
  await server.kill();
  const data = server.dataDirectory;
  const owner = serverOwner();
  // Of the ids around this one nothing is known so far.
  const status = join(
    data,
    'pg_xact',
    Math.floor(xid / 2 ** 20)
      .toString(16)
      .toUpperCase()
      .padStart(4, '0'),
  );
  writeFileSync(status, Buffer.alloc(2 ** 18), { mode: 0o600 });
  if (owner !== undefined) chownSync(status, owner.uid, owner.gid);
  rmSync(join(data, 'postmaster.pid'), { force: true });
  const set = spawnSync(join(programs!, 'pg_resetwal'), ['-f', '-x', String(xid), '-u', String(xid - 1000), data], {
    ...owner,
    cwd: data,
    encoding: 'utf8',
  });
  if (set.status !== 0) throw new Error(`pg_resetwal failed: ${set.stderr}`);
  await server.restart();
}

const sourceOf = (): FollowingPostgresSource<PostgresRow> =>
  postgresSource({
    client: pool,
    select: 'select id, amount from prices',
    key: 'id',
    follow: { prices: 'key' },
    followBy: 'xmin',
  });

async function xmaxNow(): Promise<number> {
  const { rows } = await pool.query('select pg_snapshot_xmax(pg_current_snapshot())::text as xmax');
  return Number(rows[0].xmax);
}

const takeIds = (count: number): Promise<unknown> =>
  pool.query('begin; select pg_current_xact_id(); rollback;'.repeat(count));

const set = async (id: number, amount: number): Promise<void> =>
  void (await pool.query('update prices set amount = $2 where id = $1', [id, amount]));

test('each change is read once while the ids begin anew, also where a transaction is open', async () => {
  expect(await xmaxNow()).toBe(NEAR_THE_END);
  const mirror = new Mirror(sourceOf());
  await mirror.refresh();
  expect([mirror.rows.size, await mirror.refresh(), mirror.changes]).toEqual([50, 'delta', '']);
  const early = new Client(server.url);
  await early.connect();
  try {
    await early.query('begin; update prices set amount = -1 where id = 45');
    for (let id = 1; id <= 30; id += 1) {
      await set(id, id);
      await takeIds(5);
      await mirror.refresh();
      expect(mirror.changes).toBe(`+${id}`);
    }
    expect(await xmaxNow()).toBeLessThan(2 ** 32);
    await takeIds(200);
    for (let id = 31; id <= 40; id += 1) {
      await set(id, id);
      await mirror.refresh();
      expect(mirror.rows.get(String(id))?.amount).toBe(id);
    }
    expect(await xmaxNow()).toBeGreaterThan(2 ** 32);
    await early.query('commit');
    await mirror.refresh();
    expect(mirror.rows.get('45')?.amount).toBe(-1);
    for (let id = 1; id <= 30; id += 1) {
      await set(id, -id);
      await mirror.refresh();
      expect(mirror.changes).toBe(`+${id}`);
    }
    expect(mirror.rounds).toMatchObject({ snapshot: 1, resync: 0 });
  } finally {
    await early.end();
  }
});

test('a row from four billion transactions ago does not hide what a transaction with the same id on rows writes', async () => {
  const { rows } = await pool.query('select xmin::text::int as id from prices where id = 46');
  const old = rows[0].id as number;
  const mirror = new Mirror(sourceOf());
  await takeIds(old - ((await xmaxNow()) % 2 ** 32));
  await mirror.refresh();
  const same = new Client(server.url);
  await same.connect();
  try {
    const { rows: taken } = await same
      .query(`begin; select pg_current_xact_id()::text as id`)
      .then((all) => (all as unknown as { rows: { id: string }[] }[])[1]!);
    expect(Number(taken[0]!.id)).toBe(2 ** 32 + old);
    await takeIds(1);
    for (let n = 0; n < 2; n += 1) {
      // Its own rows look as if they were new, and are as they were.
      expect([await mirror.refresh(), mirror.upserted.includes('46'), mirror.deleted]).toEqual(['delta', true, []]);
    }
    await same.query('update prices set amount = 1000 where id = 1; commit');
    await mirror.refresh();
    expect(mirror.rows.get('1')?.amount).toBe(1000);
    await mirror.refresh();
    expect(mirror.changes).toBe('');
  } finally {
    await same.end();
  }
});
