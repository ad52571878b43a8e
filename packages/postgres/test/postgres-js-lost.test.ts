/** postgres.js and connections that die at a bad moment: what it would do with what we give it then. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Client } from 'pg';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { usePostgres } from '../../../test/support/use-postgres.ts';
import { postgresSource } from '../src/index.ts';
import { context } from './use-client.ts';

const database = usePostgres();
const SLEEP = 'select 1 as id, pg_sleep(30)::text as nothing';
const CANCEL_REQUEST = 80877102;

let way: Server;
/** Connections to the server, but for those that come to cancel something: these are closed, and nothing happens. */
let sockets: Socket[];
let sql: postgres.Sql;

beforeEach(async () => {
  const { hostname, port } = new URL(database.url);
  sockets = [];
  way = createServer((near) => {
    near
      .on('error', () => {})
      .once('data', (first) => {
        const isCancel = first.length >= 8 && first.readInt32BE(4) === CANCEL_REQUEST;
        if (isCancel) near.destroy();
        else join(near, connect(Number(port), hostname), first);
      });
  });
  await once(way.listen(0, '127.0.0.1'), 'listening');
  const url = new URL(database.url);
  url.port = String((way.address() as { port: number }).port);
  sql = postgres(url.href, { max: 1, connect_timeout: 2, fetch_types: false, onnotice: () => {} });
});

afterEach(async () => {
  await sql.end({ timeout: 0 });
  for (const socket of sockets) socket.destroy();
  way.close();
});

function join(near: Socket, far: Socket, first: Buffer): void {
  sockets.push(near);
  far.on('error', () => near.destroy()).write(first);
  near.pipe(far).pipe(near);
}

const sourceOf = (select: string) => postgresSource({ client: sql, select, key: 'id' });
const again = () => sourceOf('select 1 as id').fetchOne('1', context(AbortSignal.timeout(1500)));

async function run(text: string): Promise<unknown> {
  const client = new Client(database.url);
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows[0]?.n;
}

const SLEEPERS = `from pg_stat_activity where datname = current_database() and state = 'active'
  and query like '%pg_sleep(30)%' and pid <> pg_backend_pid()`;

test('a session that ends after its statement was given up is not sent a COMMIT', async () => {
  const controller = new AbortController();
  const sleeping = sourceOf(SLEEP).fetchOne('1', context(controller.signal));
  const failed = expect(sleeping).rejects.toThrow('too late');
  await expect.poll(() => run(`select count(*)::int as n ${SLEEPERS}`)).toBe(1);
  controller.abort(new Error('too late'));
  await failed;
  // Until the cancel has been taken for done.
  await again().catch(() => {});
  await run(`select pg_terminate_backend(pid) as n ${SLEEPERS}`);
  await expect.poll(again, { timeout: 5000 }).toEqual({ id: 1 });
});

test('a connection that is reset under a statement is not sent a COMMIT', async () => {
  await again();
  for (let round = 0; round < 3; round += 1) {
    const sleeping = sourceOf(SLEEP).fetchOne('1', context());
    const failed = expect(sleeping).rejects.toMatchObject({ reachable: false });
    await expect.poll(() => run(`select count(*)::int as n ${SLEEPERS}`)).toBe(1);
    sockets.at(-1)?.resetAndDestroy();
    await failed;
    await run(`select pg_terminate_backend(pid) as n ${SLEEPERS}`);
    await expect.poll(again, { timeout: 5000 }).toEqual({ id: 1 });
    expect(await again()).toEqual({ id: 1 });
  }
});
