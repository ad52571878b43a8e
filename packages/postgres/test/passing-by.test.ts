/**
 * Writes that a subscription of logical replication applies. No statement trigger fires for them, so the change log has no
 * entry of them, and nothing else tells those who follow it. What they miss is documented: this, and no key more.
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

async function cacheOf(followBy?: FollowBy) {
  const source = postgresSource({
    client: subscriber,
    select: 'select id, n from items',
    key: 'id',
    map: ({ n }) => n as number,
    ...(followBy !== undefined && { follow: { items: 'key' as const }, followBy }),
  });
  const guard = { maxRemovedShare: 1, acceptAfter: 1 };
  const cache = new TTLCacheService({ name: 'items', source, guard, softTimeout: '30s' });
  onTestFinished(() => cache.stop());
  await cache.start();
  return cache;
}

async function itemsOfSubscriber(): Promise<Map<string, number>> {
  const { rows } = await subscriber.query('select id, n from items');
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
    logged: () => `${write(key(['r', 'o']), key(['o']))} returning id`,
  };
}

test.each([1, 2, 3])(
  'who follows the log misses each key that a subscription wrote until it is logged, and no other; other tiers miss none (seed %i)',
  async (seed) => {
    const chance = new Chance(seed);
    const writes = writesBy(chance);
    const byLog = await cacheOf('log');
    const others = [await cacheOf('xmin'), await cacheOf()];
    const tiers = [byLog, ...others].map((cache) => (cache.status().source as { tier: string }).tier);
    expect(tiers).toEqual(['change log', 'xmin', 'snapshot']);
    /** What the log lets its followers know. */
    const expected = await itemsOfSubscriber();
    let missed = 0;
    for (let round = 0; round < 40; round += 1) {
      const touched = new Set<string>();
      const write = async (replicated: boolean): Promise<void> => {
        if (replicated) return replicate(writes.replicated());
        for (const { id } of (await subscriber.query(writes.logged())).rows) touched.add(id);
      };
      for (let left = chance.whole(1, 4); left > 0; left -= 1) await write(chance.oneIn(2));

      expect(await byLog.refresh()).toMatchObject({ kind: 'delta' });
      const truth = await itemsOfSubscriber();
      for (const key of touched) {
        if (truth.has(key)) expected.set(key, truth.get(key)!);
        else expected.delete(key);
      }
      expect(new Map(byLog.entries())).toEqual(expected);
      for (const cache of others) {
        await cache.refresh();
        expect(new Map(cache.entries())).toEqual(truth);
      }
      missed += [...new Set([...truth.keys(), ...expected.keys()])].filter(
        (key) => truth.get(key) !== expected.get(key),
      ).length;
    }
    expect(missed).toBeGreaterThan(20);

    await replicate(writes.replicated());
    await byLog.refresh({ full: true });
    expect(new Map(byLog.entries())).toEqual(await itemsOfSubscriber());
  },
);
