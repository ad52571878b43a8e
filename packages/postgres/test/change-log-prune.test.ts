/** Pruning: what is removed, and that the floor always says so. */
import { describe, expect, test } from 'vitest';
import { installScript } from '../src/change-log/scripts.ts';
import { useChangeLog, usePrunableChangeLog } from './use-change-log.ts';

const INSTALL = installScript([{ name: 't', columns: [] }]);
const TABLE = 'create table t (id int primary key, n int)';

describe('prune', () => {
  const { connect, run, rows } = usePrunableChangeLog(TABLE, INSTALL);
  const prune = async (retention: string) =>
    Number((await rows<{ removed: string }>(`select evercache.prune('${retention}') as removed`))[0]!.removed);
  const floor = async () => BigInt((await rows<{ floor: string }>('select floor::text from evercache.meta'))[0]!.floor);
  const write = async (id: number) =>
    BigInt(
      (await rows<{ id: string }>(`insert into t values (${id}, 0) returning pg_current_xact_id()::text as id`))[0]!.id,
    );
  const keys = async () =>
    (await rows<{ key: string }>('select key from evercache.change_log order by xid')).map(({ key }) => key);

  test('keeps what is young enough, and raises the floor to where the log begins, no further', async () => {
    const old = await write(1);
    await run(`update evercache.change_log set at = at - interval '25 hours'`);
    await write(2);
    expect(await prune('24 hours')).toBe(2);
    expect(await keys()).toEqual(['2']);
    expect(await floor()).toBe(old + 1n);
    const last = await write(3);
    await run('select pg_current_xact_id()');
    expect(await prune('0')).toBe(2);
    expect(await floor()).toBe(last + 1n);
  });

  test('of a quiet log leaves the floor where it is', async () => {
    const before = await floor();
    await run('select pg_current_xact_id()');
    expect(await prune('0')).toBe(0);
    expect(await floor()).toBe(before);
  });

  test('stops short of what is still running', async () => {
    const writer = await connect();
    await writer.query('begin; insert into t values (10, 0)');
    await write(11);
    expect(await prune('0')).toBe(0);
    await writer.query('commit');
    expect(await keys()).toEqual(['10', '11']);
    expect(await prune('0')).toBe(2);
  });

  test('gives way to one that is under way', async () => {
    await write(20);
    const other = await connect();
    await other.query(`begin; select evercache.prune('0')`);
    expect(await prune('0')).toBe(0);
    await other.query('rollback');
    expect(await prune('0')).toBe(1);
  });

  test('refuses a retention that makes no sense', async () => {
    await expect(prune('-1 hour')).rejects.toThrow('retention: expected an interval of zero or more, got -01:00:00');
    await expect(run('select evercache.prune(null)')).rejects.toThrow('got null');
  });

  test('works where everything is published', async () => {
    await run('create publication everything for all tables');
    await write(30);
    expect(await prune('0')).toBe(1);
    await run('drop publication everything');
  });

  test('begins a log anew that came from an older server', async () => {
    await write(40);
    expect(await rows('select * from evercache.problems()')).toEqual([]);
    await run(`insert into evercache.change_log (xid, tbl, key, op) values ('99999999', 'public.t', '1', 'U')`);
    expect(await rows('select problem from evercache.problems()')).toEqual([
      { problem: 'the log is of another server: evercache.prune() begins it anew' },
    ]);
    const writer = await connect();
    await writer.query('begin; insert into t values (41, 0)');
    expect(await prune('24 hours')).toBe(0);
    await writer.query('commit');
    expect(await prune('24 hours')).toBe(3);
    expect(await rows('select tbl, key, op from evercache.change_log')).toEqual([
      { tbl: 'public.t', key: null, op: 'R' },
    ]);
    expect(await rows('select * from evercache.problems()')).toEqual([]);
    await run(`update evercache.meta set floor = '99999999'`);
    expect(await prune('24 hours')).toBe(1);
    expect(await floor()).toBeLessThan(99999999n);
  });
});

describe('while many write and two prune', () => {
  const { connect, run, rows } = useChangeLog(
    `${TABLE}; insert into t select n, 0 from generate_series(1, 200) as n`,
    INSTALL,
  );
  const LASTS_MS = 2000;
  const random = (below: number): number => Math.floor(Math.random() * below);

  test('the log has all that was committed from the floor on', async () => {
    /** Keys by transaction, of what is committed for certain. */
    const committed: { readonly xid: bigint; readonly keys: readonly string[] }[] = [];
    const end = performance.now() + LASTS_MS;
    const running = () => performance.now() < end;
    let prunes = 0;
    let checks = 0;
    let lines = 0;

    const write = async (): Promise<void> => {
      const client = await connect();
      while (running()) {
        await client.query('begin');
        const keys = new Set<string>();
        for (let count = 1 + random(3); count > 0; count--) {
          const undone = random(4) === 0;
          if (undone) await client.query('savepoint s');
          // In the order of the keys, so that writers do not lock one another out.
          const id = keys.size * 60 + 1 + random(60);
          await client.query('update t set n = n + 1 where id = $1', [id]);
          if (undone) await client.query('rollback to s');
          else keys.add(String(id));
        }
        const { rows: answer } = await client.query(
          'select pg_current_xact_id_if_assigned()::text as xid, pg_sleep($1)',
          [random(10) === 0 ? Math.random() / 5 : 0],
        );
        const keep = random(5) > 0;
        await client.query(keep ? 'commit' : 'rollback');
        if (keep && keys.size > 0) committed.push({ xid: BigInt(answer[0].xid), keys: [...keys] });
      }
    };
    const prune = async (): Promise<void> => {
      const client = await connect();
      while (running()) {
        const { rows: answer } = await client.query(`select evercache.prune($1) as removed`, [`${random(100)} ms`]);
        if (answer[0].removed !== '0') prunes++;
      }
    };
    const check = async (): Promise<void> => {
      const known = committed.length;
      const [{ floor, log }] =
        (await rows(`select floor::text, (select json_agg(xid || ' ' || key) from evercache.change_log) as log
        from evercache.meta`)) as [{ floor: string; log: string[] | null }];
      const there = new Set(log);
      lines += there.size;
      const missing = committed
        .slice(0, known)
        .filter(({ xid }) => xid >= BigInt(floor))
        .flatMap(({ xid, keys }) => keys.map((key) => `${xid} ${key}`))
        .filter((line) => !there.has(line));
      expect(missing).toEqual([]);
      checks++;
    };
    const checkAll = async (): Promise<void> => {
      while (running()) await check();
    };

    await Promise.all([...Array.from({ length: 6 }, write), prune(), prune(), checkAll()]);
    await check();
    expect(committed.length).toBeGreaterThan(100);
    expect(Math.min(prunes, checks, lines)).toBeGreaterThan(10);
    await run('select evercache.prune()');
  });
});
