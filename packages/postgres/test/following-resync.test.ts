import { describe, expect, test } from 'vitest';
import { type PostgresRow, postgresSource } from '../src/index.ts';
import { AGENTS, CHANGE_LOG, Mirror, PRICES } from './mirror.ts';
import { CLIENT_KINDS, context, useClient } from './use-client.ts';

describe.each(CLIENT_KINDS)('following over %s', (kind) => {
  const database = useClient(kind, CHANGE_LOG);

  const pricesSource = (select = 'select id, amount from prices where not hidden') =>
    postgresSource({ client: database.client, select, key: 'id', follow: { prices: 'key' } });

  async function prices(): Promise<Mirror<PostgresRow>> {
    await database.run(PRICES);
    const mirror = new Mirror(pricesSource());
    expect(await mirror.refresh()).toBe('snapshot');
    return mirror;
  }

  test('begins by itself once the log is installed and the table is followed, and ends with it', async () => {
    await prices();
    await database.run('drop schema evercache cascade');
    const source = pricesSource();
    const mirror = new Mirror(source);
    const reasonAfterRefresh = async () => [await mirror.refresh(), source.status().reason];
    expect(source.status()).toMatchObject({ tier: 'snapshot', reason: 'nothing has been read yet' });
    expect(await reasonAfterRefresh()).toEqual(['snapshot', 'the change log is not installed']);
    expect([mirror.rows.size, mirror.cursor]).toEqual([100, undefined]);
    await database.run(CHANGE_LOG);
    expect(await reasonAfterRefresh()).toEqual(['snapshot', 'table public.prices is not followed by the change log']);
    await database.run(`select evercache.follow('prices')`);
    expect(await reasonAfterRefresh()).toEqual(['snapshot', undefined]);
    expect(source.status()).toMatchObject({ tier: 'change log', following: ['public.prices'] });
    expect(await mirror.refresh()).toBe('delta');
    const off = 'triggers of the change log on table public.prices are missing or off';
    await database.run('alter table prices disable trigger evercache_insert');
    expect(await reasonAfterRefresh()).toEqual(['resync', off]);
    // On, but not where session_replication_role is replica.
    await database.run('alter table prices enable trigger evercache_insert');
    expect(await reasonAfterRefresh()).toEqual(['snapshot', off]);
    await database.run(`select evercache.follow('prices')`);
    await mirror.refresh();
    await database.run(`select evercache.unfollow('prices')`);
    expect((await reasonAfterRefresh())[0]).toBe('resync');
    expect(source.status()).toMatchObject({ tier: 'snapshot', resyncs: { count: 2 } });
    await database.run(`select evercache.follow('prices')`);
    await mirror.refresh();
    await database.run('drop schema evercache cascade');
    expect(await reasonAfterRefresh()).toEqual(['resync', 'the change log is not installed']);
    await database.run(CHANGE_LOG);
  });

  test('does not begin with a column that is not logged, nor with a table that is not there', async () => {
    await database.run(AGENTS);
    const options = { client: database.client, select: 'select * from tools', key: 'id' };
    for (const [follow, reason] of [
      [{ tools: { column: 'name' } }, 'column "name" of table public.tools is not logged'],
      [{ missing: 'key' }, 'table missing does not exist'],
    ] as const) {
      const source = postgresSource({ ...options, follow });
      await new Mirror(source).refresh();
      expect(source.status()).toMatchObject({ tier: 'snapshot', reason });
    }
  });

  test('does not go on after an installation, a column or a trigger has changed', async () => {
    const mirror = await prices();
    for (const script of [
      'alter table prices disable trigger evercache_update; alter table prices enable always trigger evercache_update',
      `${PRICES}`,
      // What an administrator does whose disk is full.
      'update prices set amount = 0 where id = 1; truncate evercache.change_log',
      `drop schema evercache cascade; ${CHANGE_LOG}; select evercache.follow('prices')`,
    ]) {
      await database.run(script);
      expect([script, await mirror.refresh()]).toEqual([script, 'resync']);
      expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
    }
  });

  test('does not go on after a column of the SELECT has another name or type', async () => {
    await prices();
    const source = postgresSource({
      client: database.client,
      select: 'select * from prices',
      key: 'id',
      follow: { prices: 'key' },
    });
    const mirror = new Mirror(source);
    await mirror.refresh();
    for (const change of [
      'add c varchar(5)',
      'alter c type varchar(9)',
      'alter c type text',
      'rename c to d',
      'drop d',
    ]) {
      await database.run(`alter table prices ${change}`);
      const expected = change === 'alter c type varchar(9)' ? 'delta' : 'resync';
      expect([change, await mirror.refresh()]).toEqual([change, expected]);
    }
    expect(mirror.rows.get('1')).toEqual({ id: 1, amount: 1, hidden: false });
  });

  test.each(['log', 'xmin'] as const)(
    'by %s does not go on after another column has the name of one',
    async (followBy) => {
      const select = 'select id, price from swapped';
      const table = 'create table swapped (id int primary key, price int, next_price int)';
      for (const change of ['alter table swapped drop column price', 'alter table swapped rename price to former']) {
        await database.run(`drop table if exists swapped; ${table}; insert into swapped values (1, 10, 20);
        select evercache.follow('swapped')`);
        const source = postgresSource({
          client: database.client,
          select,
          key: 'id',
          follow: { swapped: 'key' },
          followBy,
        });
        const mirror = new Mirror(source);
        await mirror.refresh();
        await database.run(`${change}; alter table swapped rename next_price to price`);
        expect([await mirror.refresh(), mirror.rows.get('1')]).toEqual(['resync', { id: 1, price: 20 }]);
        expect([await mirror.refresh(), mirror.changes]).toEqual(['delta', '']);
      }
    },
  );

  test('does not go on where the log was pruned past the position, and does where it was not', async () => {
    const mirror = await prices();
    const early = mirror.cursor;
    await database.run('update prices set amount = 0 where id = 1');
    // Transactions of others on this server, in whatever database, keep a position from moving on for a while.
    const openSince = (cursor: unknown) => JSON.parse(cursor as string).doneXids;
    await expect
      .poll(async () => [await mirror.refresh(), openSince(mirror.cursor)][1], { timeout: 15_000 })
      .toEqual([]);
    const late = mirror.cursor;
    // They also keep the log from being pruned.
    const pruned = async () => {
      await database.run(`select evercache.prune('0 seconds')`);
      return pricesSource().fetchChanges(early, context());
    };
    await expect.poll(pruned, { timeout: 15_000 }).toBe('resync');
    mirror.cursor = late;
    expect(await mirror.refresh()).toBe('delta');
  });

  test('does not go on from the position of another SELECT, of another format or of another time', async () => {
    const mirror = await prices();
    const cursor = mirror.cursor as string;
    const position = JSON.parse(cursor);
    const source = pricesSource();
    const reasonOf = async (since: unknown, asked = source) => [
      await asked.fetchChanges(since, context()),
      (asked.status().resyncs as { last?: string }).last,
    ];
    expect(await reasonOf(cursor, pricesSource('select id, 1 as amount from prices where not hidden'))).toEqual([
      'resync',
      'columns, tables, triggers or options have changed',
    ]);
    for (const other of [undefined, null, 7, {}, '', 'x', 'null', '[]', JSON.stringify({ ...position, v: 2 })]) {
      expect(await reasonOf(other)).toEqual(['resync', 'the position is not one of ours']);
    }
    for (const wrong of [{ snapshot: 'x:y:' }, { doneXids: ['1'] }, { incarnation: 1 }]) {
      expect((await reasonOf(JSON.stringify({ ...position, ...wrong })))[1]).toBe('the position is not one of ours');
    }
    const [xmin, xmax] = position.snapshot.split(':') as [string, string];
    const ahead = { ...position, snapshot: `${xmin}:${BigInt(xmax) + 1000n}:` };
    expect((await reasonOf(JSON.stringify(ahead)))[1]).toBe('the database has gone back in time');
    const elsewhere = { ...position, incarnation: `${position.incarnation} more` };
    expect((await reasonOf(JSON.stringify(elsewhere)))[1]).toBe('another database, or another history of it, answers');
    expect(await source.fetchChanges(cursor, context())).toMatchObject({ cursor: expect.any(String) });
  });

  test('goes on from a position after the process has started anew', async () => {
    const mirror = await prices();
    await database.run('update prices set amount = 0 where id = 9');
    const reborn = new Mirror(pricesSource());
    reborn.cursor = mirror.cursor;
    expect([await reborn.refresh(), reborn.changes]).toEqual(['delta', '+9']);
  });

  test('with a look-up that cannot run is a failure of the snapshot, never a stop of the changes', async () => {
    await prices();
    const options = { client: database.client, select: 'select * from prices', key: 'id' };
    const wrong = postgresSource({ ...options, follow: { prices: { sql: 'select missing from changed' } } });
    await expect(new Mirror(wrong).refresh()).rejects.toThrow('42703 column "missing" does not exist');
    const misfit = postgresSource({ ...options, follow: { prices: { sql: `select (key || 'x')::int from changed` } } });
    const mirror = new Mirror(misfit);
    await mirror.refresh();
    await database.run('update prices set amount = 0 where id = 9');
    expect([await mirror.refresh(), mirror.rows.get('9')?.amount]).toEqual(['resync', 0]);
  });

  test('prunes the log now and then, and goes on where that fails', async () => {
    await prices();
    await database.run(`update evercache.change_log set at = '2020-01-01'`);
    // Transactions of others on this server keep the log from being pruned for a while.
    const upkeep = async () => {
      const source = pricesSource();
      const mirror = new Mirror(source);
      await mirror.refresh();
      expect(source.status().log).toBeUndefined();
      await mirror.refresh();
      await expect.poll(() => source.status().log).toBeDefined();
      return [source.status().log, await mirror.refresh(), mirror.changes];
    };
    await expect.poll(upkeep, { timeout: 15_000 }).toEqual([{ rows: 0, oldest: null }, 'delta', '']);
    await database.run('alter function evercache.prune rename to gone');
    const other = pricesSource();
    const unpruned = new Mirror(other);
    await unpruned.refresh();
    expect(await unpruned.refresh()).toBe('delta');
    await expect.poll(() => other.status().upkeepError).toBe('42883 function evercache.prune() does not exist');
    expect(await unpruned.refresh()).toBe('delta');
    await database.run('alter function evercache.gone rename to prune');
  });

  test('prunes the log also while it cannot be followed', async () => {
    await prices();
    await database.run(`drop table if exists stranger; create table stranger (id int primary key);
      update evercache.change_log set at = '2020-01-01'`);
    // Transactions of others on this server keep the log from being pruned for a while.
    const upkeep = async () => {
      const source = postgresSource({
        client: database.client,
        select: 'select id, amount from prices left join stranger using (id)',
        key: 'id',
        follow: { prices: 'key', stranger: 'key' },
      });
      expect(await new Mirror(source).refresh()).toBe('snapshot');
      expect(source.status().tier).toBe('snapshot');
      await expect.poll(() => source.status().log).toBeDefined();
      return source.status().log;
    };
    await expect.poll(upkeep, { timeout: 15_000 }).toEqual({ rows: 0, oldest: null });
  });
});
