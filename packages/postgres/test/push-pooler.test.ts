/** Push by way of a real pgbouncer, where there is one, and over a standby. */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { serverOwner } from '../../../test/support/postgres-binaries.ts';
import { usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { CHANGE_LOG, PRICES } from './mirror.ts';
import { useChangeLog } from './use-change-log.ts';
import { makeCache, openPool, pushOf, SOON, startInstance, untilAllHave, untilOneLeads } from './use-push.ts';

const PROGRAM = ['pgbouncer', '/usr/sbin/pgbouncer'].find((path) => spawnSync(path, ['--version']).status === 0);

describe('by way of pgbouncer', () => {
  const database = useChangeLog(CHANGE_LOG, PRICES);
  beforeEach((context) => {
    if (PROGRAM === undefined) context.skip('pgbouncer is not installed');
  });

  /** The URL of the database by way of a pgbouncer, until the test ends. */
  async function startPgbouncer(mode: 'transaction' | 'session'): Promise<string> {
    const [owner, url] = [serverOwner(), new URL(database.url)];
    const directory = mkdtempSync(join(tmpdir(), 'evercache-pgbouncer-'));
    const port = await freePort();
    const [user, password] = [url.username, url.password].map(decodeURIComponent);
    const settings = join(directory, 'pgbouncer.ini');
    writeFileSync(
      settings,
      `[databases]\n* = host=${url.hostname} port=${url.port} user=${user} password=${password}
      [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = any
      pool_mode = ${mode}\nignore_startup_parameters = extra_float_digits`.replaceAll(/^ +/gm, ''),
    );
    for (const path of owner === undefined ? [] : [directory, settings]) chownSync(path, owner!.uid, owner!.gid);
    const pooler = spawn(PROGRAM!, [settings], { ...owner, cwd: directory, stdio: 'ignore' });
    const gone = new Promise((resolve) => pooler.once('close', resolve));
    onTestFinished(async () => {
      pooler.kill('SIGKILL');
      await gone;
      rmSync(directory, { recursive: true, force: true });
    });
    url.port = String(port);
    await expect.poll(() => answers(port), SOON).toBe(true);
    return url.href;
  }

  test('in transaction mode push is off and says why; a connection string past it is the way out', async () => {
    const url = await startPgbouncer('transaction');
    await hearsARingToItself(url);
    const cache = makeCache(openPool(url), 'leader', 1000);
    await cache.start();
    await expect.poll(() => pushOf({ cache }).warning, SOON).toContain('nothing is heard');
    await database.run('update prices set amount = 1001 where id = 1');
    await untilAllHave([{ cache, client: openPool(url) }], 1, 1001);
    const direct = await startInstance(openPool(url), { mode: 'leader', connectionString: database.url });
    await untilOneLeads(direct);
    await database.run('update prices set amount = 1002 where id = 1');
    await untilAllHave([direct], 1, 1002);
  });

  test('in session mode push works', async () => {
    const instance = await startInstance(openPool(await startPgbouncer('session')));
    await untilOneLeads(instance);
    await database.run('update prices set amount = 1003 where id = 1');
    await untilAllHave([instance], 1, 1003);
  });
});

describe('over a standby', () => {
  const own = usePrivatePostgres();

  test('push is off, and says that it needs the primary', async () => {
    const client = openPool(own.server.url) as import('pg').Pool;
    await client.query(`${CHANGE_LOG}; ${PRICES}`);
    const { rows } = await client.query('show data_directory');
    await client.query('checkpoint');
    writeFileSync(join(rows[0].data_directory, 'standby.signal'), '');
    client.on('error', () => {});
    await own.server.kill();
    await own.server.restart();
    const cache = makeCache(client, 'leader');
    await cache.start();
    expect(cache.get('1')).toEqual({ id: 1, amount: 1 });
    await expect.poll(() => pushOf({ cache }).warning, SOON).toContain('a standby, where nobody can ring');
    expect(pushOf({ cache })).toMatchObject({ state: 'off' });
  });
});

/** Which is why that would prove nothing. */
async function hearsARingToItself(url: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  let heard = 0;
  client.on('notification', () => (heard += 1));
  await client.query('listen evercache');
  await client.query(`select pg_notify('evercache', 'to itself')`);
  expect(heard).toBe(1);
  await client.end();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
