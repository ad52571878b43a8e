/** Following over a crash of the server, which gives out transaction ids again that it had given out before. */
import { Client, Pool } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { postgresSource } from '../src/index.ts';
import { CHANGE_LOG, Mirror, PRICES } from './mirror.ts';

describe('following over a crash', () => {
  // What nobody waits for reaches the disk late.
  const own = usePrivatePostgres({ settings: { wal_writer_delay: '10s', log_min_messages: 'panic' } });

  test.each([
    ['the server', () => own.server.kill().then(() => own.server.restart())],
    ['one of its processes', killOneProcess],
  ])('misses no change after %s was killed', async (_, crash) => {
    const url = await own.server.createDatabase();
    const run = (script: string): Promise<void> => runScript(url, script);
    await run(`${CHANGE_LOG}; ${PRICES}`);
    const client = new Pool({ connectionString: url });
    onTestFinished(() => client.end());
    const mirror = new Mirror(
      postgresSource({ client, select: 'select id, amount from prices', key: 'id', follow: { prices: 'key' } }),
    );
    await mirror.refresh();
    const takeIds = (count: number): string => 'begin; select pg_current_xact_id(); rollback;'.repeat(count);
    await run(takeIds(50));
    expect(await mirror.refresh()).toBe('delta');
    await crash();
    await expect.poll(() => run('select 1').then(() => 'up', String), { timeout: 10_000 }).toBe('up');
    await run('update prices set amount = 7 where id = 1');
    // By now it does not even look as if the server had gone back.
    await run(takeIds(100));
    await mirror.refresh();
    expect(mirror.rows.get('1')).toEqual({ id: 1, amount: 7 });
  });

  async function killOneProcess(): Promise<void> {
    const client = new Client(own.server.url);
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = new Promise((resolve) => client.once('end', resolve));
    process.kill(rows[0]!.pid, 'SIGKILL');
    await ended;
  }
});

async function runScript(url: string, script: string): Promise<void> {
  const client = new Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(script);
  } finally {
    await client.end();
  }
}
