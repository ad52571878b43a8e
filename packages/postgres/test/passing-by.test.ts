/**
 * Writes that a subscription of logical replication applies. No statement trigger fires for them, so the change log has no
 * entry of them: who follows it has to notice the subscription, and reads everything.
 */
import { TTLCacheService } from 'evercache';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { hasPostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { type FollowBy, postgresSource } from '../src/index.ts';
import { Chance } from '../torture/chance.ts';
import { CHANGE_LOG } from './mirror.ts';

const own = usePrivatePostgres({ settings: { wal_level: 'logical', wal_retrieve_retry_interval: '50ms' } });
/** Two databases of one server. */
let publisher: Client;
let subscriber: Pool;

const TABLES = `create table items (id text primary key, n int not null);
  create table colors (name text primary key);
  create table scripts (applied int not null primary key);`;

beforeAll(async () => {
  if (!hasPostgres()) return;
  const url = await own.server.createDatabase();
  publisher = new Client(url);
  await publisher.connect();
  await publisher.query(`${TABLES} insert into scripts values (0); insert into colors values ('red'), ('blue');
    create publication everything for all tables`);
  subscriber = new Pool({ connectionString: own.server.url });
  await subscriber.query(`${TABLES} ${CHANGE_LOG} select evercache.follow('items'), evercache.follow('colors')`);
  // It would wait for itself if it made the slot, in a server that is its own publisher.
  await publisher.query(`select pg_create_logical_replication_slot('everything', 'pgoutput')`);
  await subscriber.query(
    `create subscription everything connection '${url}' publication everything with (create_slot = false)`,
  );
});

beforeEach(async () => {
  const isCopied = `select bool_and(srsubstate = 'r') as "is" from pg_subscription_rel`;
  await expect.poll(async () => (await subscriber.query(isCopied)).rows[0].is, { timeout: 30_000 }).toBe(true);
});

afterAll(async () => {
  await publisher?.end();
  await subscriber?.end();
});

/** Runs a script at the publisher, in one transaction; resolves when the subscription has applied it. */
async function replicate(script: string): Promise<void> {
  await publisher.query(`${script}; update scripts set applied = applied + 1`);
  const { rows } = await publisher.query('select applied from scripts');
  const applied = async () => (await subscriber.query('select applied from scripts')).rows;
  await expect.poll(applied, { timeout: 30_000 }).toEqual(rows);
}

test('the first copy and TRUNCATE of a subscription are logged, what it inserts, updates and deletes is not', async () => {
  const logged = async () => {
    const { rows } = await subscriber.query(
      `select op, key from evercache.change_log where tbl = 'public.colors' order by xid, key`,
    );
    return rows.map(({ op, key }) => [op, key]);
  };
  const atFirst = [
    ['R', null],
    ['U', 'blue'],
    ['U', 'red'],
  ];
  expect(await logged()).toEqual(atFirst);
  await replicate(`insert into colors values ('green'); update colors set name = 'black' where name = 'blue';
    delete from colors where name = 'red'`);
  expect((await subscriber.query('select name from colors order by name')).rows).toEqual([
    { name: 'black' },
    { name: 'green' },
  ]);
  expect(await logged()).toEqual(atFirst);
  await replicate('truncate colors');
  expect(await logged()).toEqual([...atFirst, ['R', null]]);
});

async function cacheOf(table: string, followBy?: FollowBy) {
  const source = postgresSource({
    client: subscriber,
    select: `select id, n from ${table}`,
    key: 'id',
    map: ({ n }) => n as number,
    ...(followBy !== undefined && { follow: { [table]: 'key' as const }, followBy }),
  });
  const guard = { maxRemovedShare: 1, acceptAfter: 1 };
  const cache = new TTLCacheService({ name: table, source, guard, softTimeout: '30s' });
  onTestFinished(() => cache.stop());
  await cache.start();
  return cache;
}

const tierOf = (cache: TTLCacheService<number>) => (cache.status().source as { tier: string }).tier;

async function rowsOf(table: string): Promise<Map<string, number>> {
  const { rows } = await subscriber.query(`select id, n from ${table}`);
  return new Map(rows.map(({ id, n }) => [id, n]));
}

/** Keys that the publisher inserts begin with r, others with o. Each write makes a new value. */
function writesBy(chance: Chance) {
  let n = 0;
  const write = (key: string, inserted: string): string => {
    n += 1;
    return chance.pick([
      `update items set n = ${n} where id = '${key}'`,
      `delete from items where id = '${key}'`,
      `insert into items values ('${inserted}', ${n}) on conflict (id) do update set n = excluded.n`,
    ]);
  };
  const key = (letters: readonly string[]): string => `${chance.pick(letters)}${chance.whole(1, 8)}`;
  return {
    replicated: () => write(key(['r']), key(['r'])),
    own: () => write(key(['r', 'o']), key(['o'])),
  };
}

test('no tier misses what a subscription writes: who would follow the log reads everything', async () => {
  const chance = new Chance(1);
  const writes = writesBy(chance);
  const caches = [await cacheOf('items', 'log'), await cacheOf('items', 'xmin'), await cacheOf('items')];
  expect(caches.map(tierOf)).toEqual(['snapshot', 'xmin', 'snapshot']);
  expect(caches[0]!.status().source?.reason).toMatch(/^table public\.items is written to by a subscription/);
  for (let round = 0; round < 40; round += 1) {
    for (let left = chance.whole(1, 4); left > 0; left -= 1) {
      if (chance.oneIn(2)) await replicate(writes.replicated());
      else await subscriber.query(writes.own());
    }
    const truth = await rowsOf('items');
    for (const cache of caches) {
      await cache.refresh();
      expect(new Map(cache.entries())).toEqual(truth);
    }
  }
});

test('who follows the log notices a subscription that begins to write, and misses nothing', async () => {
  const table = 'create table later (id text primary key, n int not null)';
  await publisher.query(table);
  await subscriber.query(`${table}; select evercache.follow('later')`);
  const cache = await cacheOf('later', 'log');
  await subscriber.query(`insert into later values ('own', 1)`);
  expect([tierOf(cache), await cache.refresh()]).toMatchObject(['change log', { kind: 'delta' }]);
  await subscriber.query('alter subscription everything refresh publication');
  await replicate(`insert into later values ('theirs', 1)`);
  await expect.poll(async () => [...(await rowsOf('later')).keys()].toSorted()).toEqual(['own', 'theirs']);
  expect(await cache.refresh()).toMatchObject({ kind: 'snapshot', reason: 'resync' });
  expect([tierOf(cache), [...cache.keys()].toSorted()]).toEqual(['snapshot', ['own', 'theirs']]);
});
