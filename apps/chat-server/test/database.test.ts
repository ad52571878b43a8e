import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { openDatabase } from '../src/database.ts';
import { classifyDatabaseError, DatabaseUnavailable } from '../src/database-unavailable.ts';
import { bothDatabases } from './support/databases.ts';

class OwnError extends Error {}

describe.each(bothDatabases)('%s', (_, use) => {
  const test = use();

  it('passes a mistake in a statement on as what it is, and goes on working', async () => {
    await expect(test.database.query('select nothing')).rejects.toMatchObject({ code: '42703' });
    expect(await test.database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('commits what a transaction did, and nothing of one that threw', async () => {
    const insert = `insert into applied_seeds (name) values ($1)`;
    await test.database.transaction((transaction) => transaction.query(insert, ['kept']));
    const failing = test.database.transaction(async (transaction) => {
      await transaction.query(insert, ['lost']);
      throw new OwnError('no');
    });
    await expect(failing).rejects.toThrow(OwnError);
    expect(await test.database.query(`select name from applied_seeds where name <> 'demo'`)).toEqual([
      { name: 'kept' },
    ]);
  });

  it('writes nothing in a restricted transaction', async () => {
    const write = test.database.restricted({ timeoutMs: 1000 }, (transaction) =>
      transaction.query(`insert into applied_seeds (name) values ('stolen')`),
    );
    await expect(write).rejects.toThrow(/read-only/);
  });
});

describe('PostgreSQL that goes away', () => {
  const postgres = usePrivatePostgres();
  const deadlineMs = 300;

  async function timed(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
    const started = performance.now();
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return { error, ms: performance.now() - started };
  }

  it('opens though nobody is there, and says so when asked', async () => {
    const database = await openDatabase({ dataDir: '', databaseUrl: 'postgres://nobody@127.0.0.1:1/none', deadlineMs });
    await expect(database.query('select 1')).rejects.toThrow(DatabaseUnavailable);
    await expect(database.transaction(({ query }) => query('select 1'))).rejects.toThrow(DatabaseUnavailable);
    await expect(database.script(({ query }) => query('select 1'))).rejects.toThrow(DatabaseUnavailable);
    await database.close();
  });

  it('fails within the deadline when the server is killed, and works again when it is back', async () => {
    const database = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url, deadlineMs });
    await database.query('select 1');
    await postgres.server.kill();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { error, ms } = await timed(database.query('select 1'));
      expect(error).toBeInstanceOf(DatabaseUnavailable);
      expect(ms).toBeLessThan(deadlineMs + 200);
    }
    await postgres.server.restart();
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    await database.close();
  });

  it('fails within the deadline when the server is frozen, however many ask, and works again when it is back', async () => {
    const database = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url, deadlineMs });
    await Promise.all(Array.from({ length: 10 }, () => database.query('select pg_sleep(0.01)')));
    postgres.server.freeze();
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        timed(index % 2 === 0 ? database.query('select 1') : database.transaction(({ query }) => query('select 1'))),
      ),
    );
    for (const { error, ms } of answers) {
      expect(error).toBeInstanceOf(DatabaseUnavailable);
      expect(ms).toBeLessThan(2 * deadlineMs + 300);
    }
    postgres.server.thaw();
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    await database.close();
  });

  it('cancels a query that takes too long, and keeps nothing of it', async () => {
    const database = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url, deadlineMs });
    const { error, ms } = await timed(database.query('select pg_sleep(20)'));
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(ms).toBeLessThan(deadlineMs + 300);
    await expect
      .poll(() =>
        database.query(`select 1 from pg_stat_activity where query = 'select pg_sleep(20)' and state = 'active'`),
      )
      .toEqual([]);
    await database.close();
  });

  it('gives up a connection that leads nowhere, instead of asking through it again', async () => {
    const stalled = new Set<Socket>();
    const proxy = createServer((client) => {
      const server = connect(postgres.server.port, '127.0.0.1');
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.on('data', (data) => void (stalled.has(client) || to.write(data)));
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
      open.add(client);
    });
    const open = new Set<Socket>();
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    const url = new URL(postgres.server.url);
    url.port = String((proxy.address() as AddressInfo).port);
    const database = await openDatabase({ dataDir: '', databaseUrl: url.href, deadlineMs });
    await database.query('select 1');
    for (const socket of open) stalled.add(socket); // as after a failover: nobody says that it is broken
    await expect(database.query('select 1')).rejects.toThrow(DatabaseUnavailable);
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    await database.close();
    for (const socket of open) socket.destroy();
    proxy.close();
  });

  it('closes while the server hangs', async () => {
    const database = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url, deadlineMs });
    await database.query('select 1');
    postgres.server.freeze();
    const { ms } = await timed(database.close());
    postgres.server.thaw();
    expect(ms).toBeLessThan(deadlineMs + 300);
  });
});

describe('classifyDatabaseError', () => {
  const server = (code: string): Error => Object.assign(new Error('x'), { code, severity: 'ERROR' });

  it('takes what the server cannot help for an outage, and what it refuses for an answer', () => {
    for (const code of ['08006', '53300', '57P01', '57P03', '57014', '28P01']) {
      expect(classifyDatabaseError(server(code)), code).toBeInstanceOf(DatabaseUnavailable);
    }
    for (const code of ['23505', '42P01', '22P02', '40001', '42501']) {
      expect(classifyDatabaseError(server(code)), code).not.toBeInstanceOf(DatabaseUnavailable);
    }
  });

  it('takes a broken connection for an outage, also where its code looks like one of the server', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'EPIPE']) {
      expect(classifyDatabaseError(Object.assign(new Error('x'), { code })), code).toBeInstanceOf(DatabaseUnavailable);
    }
  });
});
