/** Through pgbouncer in transaction pooling, where it is installed: each transaction may run in another session. */
import { Pool } from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasPgbouncer, type Pgbouncer, startPgbouncer } from '../../../test/support/pgbouncer.ts';
import { hasPostgres, usePostgres } from '../../../test/support/use-postgres.ts';
import { postgresSource } from '../src/index.ts';
import { CHANGE_LOG, Mirror, PRICES } from './mirror.ts';
import { context, openClient, type TestClient } from './use-client.ts';

const server = usePostgres();
let pool: Pool;
let pooler: Pgbouncer;

beforeAll(async () => {
  if (!hasPostgres() || !hasPgbouncer()) return;
  pool = new Pool({ connectionString: server.url });
  await pool.query(CHANGE_LOG);
  pooler = await startPgbouncer(server.url);
});

beforeEach(async (test) => {
  if (!hasPgbouncer()) test.skip('pgbouncer is not installed');
  await pool.query(PRICES);
});

afterAll(async () => {
  await pooler?.stop();
  await pool?.end();
});

/** Of postgres.js it is said in its options that sessions are not ours alone, pg is found out about. */
function openThrough(kind: 'pg' | 'postgres.js'): Pick<TestClient, 'client' | 'close'> {
  if (kind === 'pg') return openClient(kind, pooler.url);
  const sql = postgres(pooler.url, { prepare: false, fetch_types: false, onnotice: () => {} });
  return { client: sql, close: () => sql.end({ timeout: 1 }) };
}

describe.each(['pg', 'postgres.js'] as const)('following over %s through a pooler', (kind) => {
  test('lets no session know more than one delta, and loses nothing', async () => {
    const clients = [1, 2, 3].map(() => openThrough(kind));
    try {
      const mirrors = clients.map(
        ({ client }) =>
          new Mirror(
            postgresSource({ client, select: 'select id, amount from prices', key: 'id', follow: { prices: 'key' } }),
          ),
      );
      await Promise.all(mirrors.map((mirror) => mirror.refresh()));
      for (let id = 1; id <= 8; id += 1) {
        await pool.query('update prices set amount = -$1::int where id = $1', [id]);
        // At once, so that the pooler gives them sessions in an order of its own.
        expect(await Promise.all(mirrors.map((mirror) => mirror.refresh()))).toEqual(['delta', 'delta', 'delta']);
        expect(mirrors.map(({ changes }) => changes)).toEqual([`+${id}`, `+${id}`, `+${id}`]);
      }
      await pool.query(
        'insert into prices select n, n from generate_series(1001, 4000) as n; delete from prices where id < 50',
      );
      for (const mirror of mirrors) {
        expect([await mirror.refresh(), mirror.upserted.length, mirror.rows.size]).toEqual(['delta', 3000, 3051]);
      }
    } finally {
      for (const { close } of clients) await close();
    }
  });

  test('goes on from where it was when the pooler has lost all sessions', async () => {
    const { client, close } = openThrough(kind);
    try {
      const source = postgresSource({
        client,
        select: 'select id, amount from prices',
        key: 'id',
        follow: { prices: 'key' },
      });
      const mirror = new Mirror(source);
      await mirror.refresh();
      await mirror.refresh();
      await pooler.restart();
      await pool.query('update prices set amount = 0 where id = 7');
      await expect
        .poll(() => source.fetchOne('7', context(AbortSignal.timeout(2000))), { timeout: 5000 })
        .toEqual({ id: 7, amount: 0 });
      expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '+7']);
    } finally {
      await close();
    }
  });
});
