/** Triggers of the change log are off for a while, and writers go on: what they write then, the log is never told. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster.ts';
import type { Fault, World } from './fault.ts';

const EVENTS = ['insert', 'update', 'delete', 'truncate'];

/** Items most of all: a writer's row is written again, and logged, by its next transaction. */
const TABLES = ['items', 'items', 'items', 'writers', 'owners'];

/** So short that mirrors sleep through it, or so long that they look in between. */
const WHILE: readonly (readonly [leastMs: number, mostMs: number])[] = [
  [10, 100],
  [100, 1500],
];

export const triggersOff: Fault = {
  name: 'triggers off while rows were written',
  async strike(world) {
    const { cluster, chance, tally } = world;
    const table = chance.pick(TABLES);
    const events = chance.oneIn(2) ? ['update'] : EVENTS;
    const turn = (how: string, timeout: string): Promise<unknown> => {
      const turned = events.map((event) => `alter table ${table} ${how} trigger evercache_${event}`);
      return cluster.query(`set lock_timeout = '${timeout}'; ${turned.join('; ')}`);
    };
    await turn('disable', '3s');
    // No writer holds its lock for so long.
    const rows = await writtenUntold(world, table).finally(() => turn('enable always', '15s'));
    if (rows === 0) throw new Error('nothing was written meanwhile');
    tally.count('rows that the log was not told of', rows);
  },
};

/** Lets the writers write for a while; how many rows they have written of which there is no entry in the log. */
async function writtenUntold({ cluster, chance }: World, table: string): Promise<number> {
  let rows = 0;
  // Each time from then on: TRUNCATE, or a large statement, tells of all rows that were written before.
  for (let looks = 0; rows === 0 && looks < 20; looks += 1) {
    const [begun] = await cluster.query<Begun>(
      'select pg_snapshot_xmax(pg_current_snapshot())::text as xid, clock_timestamp()::text as at',
    );
    await sleep(chance.whole(...chance.pick(WHILE)));
    rows = await untoldSince(begun!, cluster, table);
  }
  return rows;
}

interface Begun {
  /** Transactions from here on, and sub-transactions, have begun since. */
  readonly xid: string;
  readonly at: string;
}

async function untoldSince({ xid, at }: Begun, cluster: Cluster, table: string): Promise<number> {
  const [found] = await cluster.query<{ rows: number }>(`select count(*)::int as rows from ${table} as written
    where written.xmin::text::bigint >= ${xid} and not exists (
      select from evercache.change_log as l
      where l.tbl = 'public.${table}' and (l.key is null or l.key = written.id) and l.at >= '${at}'
    )`);
  return found!.rows;
}
