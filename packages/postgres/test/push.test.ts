/** Changes that are told as they happen: everything that goes well. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type PGliteClient, postgresSource } from '../src/index.ts';
import { CHANGE_LOG, PRICES } from './mirror.ts';
import { useChangeLog } from './use-change-log.ts';
import { context } from './use-client.ts';
import { makeCache, openPool, pushOf, SOON, startInstance, untilAllHave, untilOneLeads } from './use-push.ts';

const database = useChangeLog(CHANGE_LOG, PRICES);
const setAmount = (id: number, amount: number): Promise<void> =>
  database.run(`update prices set amount = ${amount} where id = ${id}`);

/** The statement that each connection of a bell has sent last. */
async function bellConnections(): Promise<string[]> {
  const rows = await database.rows<{ query: string }>(
    `select query from pg_stat_activity where application_name = 'evercache-push' and datname = current_database()`,
  );
  return rows.map(({ query }) => query);
}

describe.each(['pg', 'postgres.js'] as const)('push over %s', (kind) => {
  test('brings a commit to a cache that would not have looked', async () => {
    const instance = await startInstance(openPool(database.url, kind));
    await untilOneLeads(instance);
    for (const amount of [1001, 1002, 1003]) {
      await setAmount(1, amount);
      await untilAllHave([instance], 1, amount);
    }
    expect(pushOf(instance)).toMatchObject({ mode: 'leader', state: 'leading' });
    expect(pushOf(instance)).not.toHaveProperty('warning');
  });

  test('goes by way of the connection string, where there is one', async () => {
    const client = openPool(database.url.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'), kind);
    const source = postgresSource({
      client,
      select: 'select id, amount from prices',
      key: 'id',
      follow: { prices: 'key' },
      push: { mode: 'leader', connectionString: database.url },
    });
    let rings = 0;
    const end = await source.watch!(() => (rings += 1), { ...context(), lost: () => undefined });
    await expect.poll(() => rings, SOON).toBe(1);
    await setAmount(1, 1004);
    await expect.poll(() => rings, SOON).toBe(2);
    await end();
  });
});

test('one of several instances looks at the log, and its bell is heard by all', async () => {
  const instances = await Promise.all([1, 2, 3].map(() => startInstance(openPool(database.url))));
  await untilOneLeads(...instances);
  await setAmount(2, 2001);
  await untilAllHave(instances, 2, 2001);
  const statements = await bellConnections();
  expect(statements).toHaveLength(3);
  expect(statements.filter((text) => text.includes('change_log'))).toHaveLength(1);
  const locks = await database.rows<{ granted: boolean }>(
    `select granted from pg_locks where locktype = 'advisory' and database = (
      select oid from pg_database where datname = current_database())`,
  );
  expect(locks).toEqual([{ granted: true }]);
});

test('sources of one client share one connection, which ends with the last of them', async () => {
  const client = openPool(database.url);
  const caches = [makeCache(client, 'leader'), makeCache(client, 'leader'), makeCache(client, 'leader')];
  await Promise.all(caches.map((cache) => cache.start()));
  await expect.poll(() => caches.map((cache) => cache.status().watching), SOON).toEqual([true, true, true]);
  await setAmount(3, 3001);
  await untilAllHave(
    caches.map((cache) => ({ cache, client })),
    3,
    3001,
  );
  expect(await bellConnections()).toHaveLength(1);
  await Promise.all([caches[0]!.stop(), caches[2]!.stop()]);
  expect(await bellConnections()).toHaveLength(1);
  await setAmount(3, 3002);
  await untilAllHave([{ cache: caches[1]!, client }], 3, 3002);
  await caches[1]!.stop();
  await expect.poll(bellConnections, SOON).toEqual([]);
  expect(pushOf({ cache: caches[1]! })).toMatchObject({ state: 'off' });
});

test('a transaction that was open while others were rung for is rung for when it commits', async () => {
  const instance = await startInstance(openPool(database.url));
  await untilOneLeads(instance);
  const [early, late] = [await database.connect(), await database.connect()];
  await early.query('begin; update prices set amount = 4001 where id = 4');
  await late.query('begin; savepoint a; update prices set amount = 5001 where id = 5');
  await setAmount(6, 6001);
  await untilAllHave([instance], 6, 6001);
  await late.query('commit');
  await untilAllHave([instance], 5, 5001);
  await early.query('commit');
  await untilAllHave([instance], 4, 4001);
});

test('nobody is rung while nothing is logged', async () => {
  const instance = await startInstance(openPool(database.url));
  await untilOneLeads(instance);
  await setAmount(7, 7001);
  await untilAllHave([instance], 7, 7001);
  await expect.poll(bellConnections, SOON).toEqual([expect.stringContaining('change_log')]);
  const untilLeaderLooks = async (): Promise<void> => {
    const [{ now }] = (await database.rows('select clock_timestamp()::text as now')) as [{ now: string }];
    const looked = `select 1 from pg_stat_activity where application_name = 'evercache-push' and state = 'idle'
      and datname = current_database() and query_start > '${now}'`;
    await expect.poll(() => database.rows(looked), SOON).toHaveLength(1);
  };
  // A refresh may have brought the row before the bell did. What was rung for is heard before the leader looks again.
  await untilLeaderLooks();
  const { rings } = pushOf(instance);
  await database.run('create table elsewhere (id int); insert into elsewhere values (1); drop table elsewhere');
  await untilLeaderLooks();
  expect(pushOf(instance).rings).toBe(rings);
});

test('the leader that stops hands over to another', async () => {
  const instances = await Promise.all([1, 2].map(() => startInstance(openPool(database.url))));
  const leader = await untilOneLeads(...instances);
  const other = instances.find((instance) => instance !== leader)!;
  await leader.cache.stop();
  await setAmount(8, 8001);
  await untilAllHave([other], 8, 8001);
  await untilOneLeads(other);
});

test('a process whose caches were not stopped ends all the same', async () => {
  const script = `
    import { TTLCacheService } from 'evercache';
    import { postgresSource } from '@evercache/postgres';
    import pg from 'pg';
    const client = new pg.Pool({ connectionString: process.env.URL, allowExitOnIdle: true });
    const source = postgresSource({ client, select: 'select * from prices', key: 'id', follow: { prices: 'key' }, push: 'leader' });
    const cache = new TTLCacheService({ name: 'prices', source });
    await cache.start();
    const busy = setInterval(() => {
      if (cache.status().source.push.state !== 'leading') return;
      clearInterval(busy);
      console.log('leading');
    }, 10);`;
  const child = spawn(process.execPath, ['--conditions=@evercache/source', '--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: { ...process.env, URL: database.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (data) => {
    said += String(data);
  });
  const [code] = await once(child, 'close');
  expect([said, code]).toEqual(['leading\n', 0]);
});

test('push needs follow, and a client whose settings are known', () => {
  const client = openPool(database.url);
  const options = { client, select: 'select 1', key: 'id', follow: { prices: 'key' as const } };
  const message = (wrong: object): string => {
    try {
      postgresSource({ ...options, ...wrong });
    } catch (error) {
      return String(error);
    }
    return 'accepted';
  };
  expect(message({ push: 'off' })).toBe('accepted');
  expect(message({ push: { mode: 'off' }, follow: undefined })).toBe('accepted');
  expect(message({ push: 'leader', follow: undefined })).toContain('"push": expected nothing without follow');
  expect(message({ push: 'trigger' })).toContain(`"push": expected 'off', 'leader' or {`);
  expect(message({ push: { mode: true } })).toContain('"push.mode"');
  expect(message({ push: { mode: 'leader', url: 'x' } })).toContain('mode and connectionString, got "url"');
  expect(message({ push: { mode: 'leader', connectionString: '' } })).toContain('"push.connectionString"');
  const { totalCount, connect, on, listenerCount } = client as never as Record<string, () => void>;
  const strange = { client: { totalCount, connect, on, listenerCount: () => listenerCount } };
  expect(message({ ...strange, push: 'leader' })).toContain('settings of this client are not known');
  expect(message({ ...strange, push: { mode: 'leader', connectionString: 'postgres://x' } })).toBe('accepted');
});

test('over PGlite push is off, and says so', () => {
  const fail = (): Promise<never> => Promise.reject(new Error('not expected to be asked'));
  // Nothing is asked of it here, and the real one takes seconds to start.
  const client = { waitReady: Promise.resolve(), query: fail, transaction: fail } satisfies PGliteClient;
  const source = postgresSource({
    client,
    select: 'select 1 as id',
    key: 'id',
    follow: { prices: 'key' },
    push: 'leader',
  });
  expect(source.watch).toBeUndefined();
  expect(source.status().push).toMatchObject({
    mode: 'leader',
    state: 'off',
    warning: expect.stringContaining('PGlite'),
  });
});
