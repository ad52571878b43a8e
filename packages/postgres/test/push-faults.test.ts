/** Changes that are told as they happen, while connections, leaders and the server die: late, and never lost. */
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { Bell } from '../src/push/bell.ts';
import { PUSH_TIMES } from '../src/push/line.ts';
import { wayTo } from '../src/push/way.ts';
import { openWay } from './faulty-way.ts';
import { CHANGE_LOG, PRICES } from './mirror.ts';
import { useChangeLog } from './use-change-log.ts';
import { context } from './use-client.ts';
import { makeCache, openPool, pushOf, SOON, startInstance, untilAllHave, untilOneLeads } from './use-push.ts';

const database = useChangeLog(CHANGE_LOG, PRICES);
const setAmount = (id: number, amount: number): Promise<void> =>
  database.run(`update prices set amount = ${amount} where id = ${id}`);
const ofBells = `from pg_stat_activity where application_name = 'evercache-push' and datname = current_database()`;

/** Impatient, so that tests need not be patient. */
const TIMES = { ...PUSH_TIMES, tryMs: 100, heartbeatMs: 400, answerMs: 400, proofMs: 400 };

/** A bell with one watch. */
async function hang(url: string) {
  const bell = new Bell(wayTo(openPool(url), undefined)!, TIMES);
  const heard = { rings: 0, lost: [] as unknown[] };
  const end = await bell.watch(() => (heard.rings += 1), {
    ...context(),
    lost: (error) => heard.lost.push(error),
  });
  onTestFinished(end);
  return { bell, heard, end };
}

const stateOf = (bell: Bell): unknown => bell.status().state;

test('LISTEN that is silent, as through a pooler, is found out: push is off and says why, and reads go on', async () => {
  const { url } = await openWay(database.url, 'deaf');
  const deaf = new Client(url);
  await deaf.connect();
  let heard = 0;
  deaf.on('notification', () => (heard += 1));
  await deaf.query('listen evercache');
  await deaf.query(`select pg_notify('evercache', 'a ring to itself proves nothing')`);
  expect(heard).toBe(1);
  await deaf.end();
  const cache = makeCache(openPool(url), 'leader', 1000);
  const errors: string[] = [];
  cache.on('error', ({ message }) => errors.push(message));
  await cache.start();
  await expect.poll(() => errors, SOON).toEqual([expect.stringContaining('nothing is heard')]);
  expect(pushOf({ cache })).toMatchObject({ state: 'off', warning: expect.stringContaining('push.connectionString') });
  expect(cache.status()).toMatchObject({ watching: false, breaker: 'closed' });
  await setAmount(1, 1001);
  await untilAllHave([{ cache, client: openPool(url) }], 1, 1001);
});

test('what is called the change log and is a view is not looked at', async () => {
  await database.run(`alter table evercache.change_log rename to own;
    create view evercache.change_log as select * from evercache.own`);
  onTestFinished(() => database.run('drop view evercache.change_log; alter table evercache.own rename to change_log'));
  await expect(hang(database.url)).rejects.toThrow('evercache.change_log is no plain table');
});

test('a ring that is lost costs no more than the time until the next refresh', async () => {
  const { way, url } = await openWay(database.url, 'open');
  const [deaf, leader] = [makeCache(openPool(url), 'leader', 1000), await startInstance(openPool(database.url))];
  await untilOneLeads(leader);
  await deaf.start();
  await untilOneLeads(leader, { cache: deaf, client: openPool(url) });
  await expect.poll(() => deaf.status().lastRefresh?.reason, SOON).toBe('watch');
  way.mode = 'deaf';
  const before = pushOf({ cache: deaf }).rings;
  await setAmount(2, 2001);
  await untilAllHave([leader, { cache: deaf, client: openPool(url) }], 2, 2001);
  expect(deaf.status()).toMatchObject({ watching: true, lastRefresh: { reason: 'interval' } });
  expect(pushOf({ cache: deaf }).rings).toBe(before);
});

test('a leader whose connection is killed is followed by another, and nothing is missed', async () => {
  const instances = await Promise.all([1, 2].map(() => startInstance(openPool(database.url))));
  for (let round = 1; round <= 3; round += 1) {
    await untilOneLeads(...instances);
    // Both at once: nobody hears of the change before they are back.
    await database.run(`select pg_terminate_backend(pid) ${ofBells};
      update prices set amount = ${3000 + round} where id = 3`);
    await untilAllHave(instances, 3, 3000 + round);
  }
  for (let round = 4; round <= 6; round += 1) {
    await untilOneLeads(...instances);
    await database.run(`select pg_terminate_backend(pid) ${ofBells} and query like '%change_log%';
      update prices set amount = ${3000 + round} where id = 3`);
    await untilAllHave(instances, 3, 3000 + round);
  }
});

test('a leader that stands still, or whose line is dead, is sent away', async () => {
  const { way, url } = await openWay(database.url, 'open');
  const halfOpen = await hang(url);
  await expect.poll(() => stateOf(halfOpen.bell), SOON).toBe('leading');
  const next = await hang(database.url);
  way.mode = 'dead';
  await setAmount(4, 4001);
  await expect.poll(() => stateOf(next.bell), SOON).toBe('leading');
  // For what its predecessor did not ring for.
  await expect.poll(() => next.heard.rings, SOON).toBeGreaterThan(0);
  await expect.poll(() => halfOpen.heard.lost, SOON).toEqual([expect.objectContaining({ name: 'PostgresError' })]);
  expect(halfOpen.bell.status()).toMatchObject({ state: 'off', warning: 'no answer within 400 ms' });
});

test('a session that no longer listens is found out by the heartbeat', async () => {
  const { bell, heard } = await hang(database.url);
  await expect.poll(() => stateOf(bell), SOON).toBe('leading');
  // What a pooler does to a connection that it hands to somebody else.
  const listening = 'select 1 from pg_listening_channels()';
  expect(await database.rows(listening)).toEqual([]);
  const original = Client.prototype.query as unknown as (...given: unknown[]) => unknown;
  let done = false;
  Client.prototype.query = function (this: Client, ...given: unknown[]) {
    if (!done && String((given[0] as { text?: string }).text).includes('change_log')) {
      done = true;
      void original.call(this, 'unlisten *');
    }
    return original.apply(this, given);
  } as never;
  onTestFinished(() => {
    Client.prototype.query = original as never;
  });
  await expect
    .poll(() => heard.lost, SOON)
    .toEqual([expect.objectContaining({ message: 'the connection no longer listens' })]);
});

test('without the log push is off, and begins when it is there', async () => {
  await database.run('drop schema evercache cascade');
  const instance = await startInstance(openPool(database.url));
  await expect.poll(() => pushOf(instance).warning, SOON).toMatch(/^(42P01|3F000)/);
  await database.run(`${CHANGE_LOG}; select evercache.follow('prices')`);
  await untilOneLeads(instance);
  // It stands a moment before the refresh after that has found that the log can be followed.
  await expect.poll(() => pushOf(instance).warning, SOON).toBeUndefined();
  await instance.cache.refresh({ full: true });
  await setAmount(5, 5001);
  await untilAllHave([instance], 5, 5001);
});

test('a watch may be given up at any moment, and leaves no connection behind', async () => {
  for (let turns = 0; turns <= 40; turns += 1) {
    const bell = new Bell(wayTo(openPool(database.url), undefined)!, TIMES);
    const controller = new AbortController();
    const watching = bell.watch(() => undefined, { ...context(controller.signal), lost: () => undefined });
    const other = turns % 2 === 0 ? undefined : bell.watch(() => undefined, { ...context(), lost: () => undefined });
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('given up'));
    const end = await watching.catch((error: Error) => {
      expect(error.message).toBe('given up');
    });
    await end?.();
    await (await other)?.();
    expect(stateOf(bell)).toBe('off');
  }
  await expect.poll(() => database.rows(`select pid ${ofBells}`), SOON).toEqual([]);
});

describe('a server of its own', () => {
  const own = usePrivatePostgres();

  test('may be killed and started again, or frozen: push comes back, and nothing is missed', async () => {
    const url = await own.server.createDatabase();
    const run = async (script: string): Promise<void> => {
      const client = new Client(url);
      await client.connect();
      await client.query(script);
      await client.end();
    };
    await run(`${CHANGE_LOG}; ${PRICES}`);
    const instances = await Promise.all([1, 2].map(() => startInstance(openPool(url))));
    await untilOneLeads(...instances);
    await own.server.kill();
    await expect.poll(() => instances.map(({ cache }) => cache.status().watching), SOON).toEqual([false, false]);
    expect(instances.map(({ cache }) => cache.get('1')?.amount)).toEqual([1, 1]);
    await own.server.restart();
    await run('update prices set amount = 1001 where id = 1');
    await untilAllHave(instances, 1, 1001);
    await untilOneLeads(...instances);
    await run('update prices set amount = 1002 where id = 1');
    await untilAllHave(instances, 1, 1002);
    const impatient = await hang(url);
    own.server.freeze();
    await expect.poll(() => impatient.heard.lost, SOON).toEqual([expect.objectContaining({ reachable: false })]);
    own.server.thaw();
    await run('update prices set amount = 1003 where id = 1');
    await untilAllHave(instances, 1, 1003);
  }, 30_000);
});
