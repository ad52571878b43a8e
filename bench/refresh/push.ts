/**
 * What push gives and what it costs: the time from a commit to the moment when another instance's cache shows it, and
 * the throughput of writers whose table is followed, against the same table without triggers.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { postgresSource } from '@evercache/postgres';
import { TTLCacheService } from 'evercache';
import pg from 'pg';
import type { Measurement, Target } from '../bench.ts';
import { inTurns } from '../in-turns.ts';
import { median, noiseOfMedian, quantile } from '../statistics.ts';
import { startWriters, type Writers } from './write-process-client.ts';

export interface PushBenchOptions {
  /** A database of a PostgreSQL of its own, as a superuser. What is committed has to reach the disk (`fsync`). */
  readonly url: string;
  readonly quick: boolean;
  readonly progress: (text: string) => void;
}

export const settings = {
  rows: 100_000,
  writers: { processes: 2, clientsPerProcess: 4 },
  /** Turns of 0.4 s differ from each other by 15 %. */
  rounds: 5,
  secondsPerTurn: 1.5,
  /** Between two commits of a writer, while the time to the cache is measured. */
  pauseMs: 50,
  secondsOfLatency: 10,
};

type Settings = typeof settings;

const quickSettings: Settings = { ...settings, rows: 1_000, rounds: 1, secondsPerTurn: 0.2, secondsOfLatency: 0.5 };

/** Who writes against what, in the order in which the first round measures them. */
const CONTENDERS = ['no trigger', 'bare insert', 'log', 'log + leader'] as const;
type Contender = (typeof CONTENDERS)[number];

interface ThroughputCase {
  readonly name: string;
  readonly prepared: boolean;
  readonly contenders: readonly Contender[];
}

const WRITES = '8 writers, single-row updates of 500 bytes of jsonb';

/** As drivers send statements by default; and the cheapest there are, beside which a log costs the most. */
const AS_TEXT: ThroughputCase = { name: WRITES, prepared: false, contenders: CONTENDERS };
const PREPARED: ThroughputCase = {
  name: `${WRITES}, prepared statements`,
  prepared: true,
  contenders: ['no trigger', 'log'],
};

export async function push({
  url,
  quick,
  progress,
}: PushBenchOptions): Promise<{ readonly measurements: Measurement[]; readonly targets: Target[] }> {
  const plan = quick ? quickSettings : settings;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const writers = await startWriters({ databaseUrl: url, rows: plan.rows, ...plan.writers });
  try {
    await prepare(admin, plan);
    // What was written before is brought to the disk now, and not while the time to the cache is measured.
    await admin.query('checkpoint');
    progress('push: commit to cache, writers that pause');
    const paced = await latency({ url, writers, seconds: plan.secondsOfLatency, pauseMs: plan.pauseMs });
    progress('push: commit to cache, writers that do not');
    const pressed = await latency({ url, writers, seconds: plan.secondsOfLatency / 3, pauseMs: 0 });
    const asText = await throughput({ url, admin, writers, plan, progress, of: AS_TEXT });
    const prepared = await throughput({ url, admin, writers, plan, progress, of: PREPARED });
    return {
      measurements: [
        ...latencyRows(`8 writers, ${plan.pauseMs} ms between commits`, paced),
        ...latencyRows('8 writers without pause', pressed),
        ...speedRows(AS_TEXT, asText),
        ...speedRows(PREPARED, prepared),
      ],
      targets: judge(paced, asText),
    };
  } finally {
    await writers.stop();
    await admin.end();
  }
}

async function prepare(admin: pg.Client, { rows }: Settings): Promise<void> {
  const log = fileURLToPath(new URL('../../packages/postgres/sql/change-log-1.sql', import.meta.url));
  await admin.query(readFileSync(log, 'utf8'));
  // As tables are by default.
  await admin.query('create table bench_rows (id int primary key, n int not null, config jsonb not null)');
  await admin.query(`insert into bench_rows select id, 0, jsonb_build_object('name', 'row ' || id, 'text', (
      select string_agg(md5(id::text || part), ' ') from generate_series(1, 14) as part))
    from generate_series(1, ${rows}) as id`);
  await admin.query(`create function bare_insert() returns trigger language plpgsql as $$ begin
    insert into evercache.change_log (tbl, key, op) select 'public.bench_rows', id::text, 'U' from new_rows;
    return null;
  end $$`);
  await admin.query(`select evercache.follow('bench_rows')`);
  // Else autovacuum finds so many new rows while the time to the cache is measured.
  await admin.query('vacuum analyze bench_rows');
}

/**
 * How the table is followed. A bare insert is the least that a log written by triggers can cost: it takes no account of
 * keys that change, of rights, of large statements, or of columns with another name.
 */
function triggersOf(contender: Contender): string {
  const none = `drop trigger if exists bare_insert on bench_rows; select evercache.unfollow('bench_rows');`;
  if (contender === 'no trigger') return none;
  if (contender !== 'bare insert') return `${none} select evercache.follow('bench_rows')`;
  return `${none} create trigger bare_insert after update on bench_rows referencing new table as new_rows
    for each statement execute function bare_insert()`;
}

function sourceOf(pool: pg.Pool) {
  const select = 'select id, n from bench_rows';
  const source = postgresSource({ client: pool, select, key: 'id', follow: { bench_rows: 'key' }, push: 'leader' });
  const pushState = (): unknown => (source.status().push as { readonly state: string } | undefined)?.state;
  const stateIs = async (state: string): Promise<void> => {
    for (let waited = 0; pushState() !== state; waited += 10) {
      if (waited > 30_000) throw new Error(`push is ${pushState()} and should be ${state}`);
      await sleep(10);
    }
  };
  return { source, stateIs };
}

/** A cache that would not look for an hour, were it not rung. */
function startCache(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  const { source, stateIs } = sourceOf(pool);
  const cache = new TTLCacheService({ name: 'bench', source, ttl: '1d', refreshInterval: '1h' });
  const stop = async (): Promise<void> => {
    await cache.stop();
    await pool.end();
  };
  return { cache, stateIs, stop };
}

/** A leader looks and rings, and nobody reads. */
async function withLeader<R>(url: string, work: () => Promise<R>): Promise<R> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  const { source, stateIs } = sourceOf(pool);
  const lost = (error: unknown): never => {
    throw error;
  };
  const end = await source.watch!(() => undefined, { signal: new AbortController().signal, reason: 'bench', lost });
  try {
    await stateIs('leading');
    return await work();
  } finally {
    await end();
    await pool.end();
  }
}

interface LatencyRequest {
  readonly url: string;
  readonly writers: Writers;
  readonly seconds: number;
  readonly pauseMs: number;
}

/** Milliseconds from the moment when a writer knew of its commit to the moment when a cache that does not lead shows it. */
async function latency({ url, writers, seconds, pauseMs }: LatencyRequest): Promise<number[]> {
  const leader = startCache(url);
  await leader.cache.start();
  await leader.stateIs('leading');
  const follower = startCache(url);
  const shown = new Map<string, { readonly n: number; readonly at: number }[]>();
  try {
    await follower.cache.start();
    await follower.stateIs('listening');
    follower.cache.on('change', ({ updated }) => {
      const at = Number(process.hrtime.bigint()) / 1e6;
      for (const key of updated) {
        const seen = shown.get(key) ?? [];
        seen.push({ n: Number(follower.cache.get(key)?.n), at });
        shown.set(key, seen);
      }
    });
    const { known } = await writers.run({ kind: 'pace', seconds, pauseMs });
    await sleep(500);
    return known.map(([name, n, at]) => {
      const first = shown.get(String(name))?.find((seen) => seen.n >= n);
      if (first === undefined) throw new Error('a commit was not shown within half a second of the last one');
      return Math.max(0, first.at - at);
    });
  } finally {
    await follower.stop();
    await leader.stop();
  }
}

/** Commits per second, in each round. */
type Speeds = ReadonlyMap<Contender, readonly number[]>;

interface ThroughputRequest {
  readonly url: string;
  readonly admin: pg.Client;
  readonly writers: Writers;
  readonly plan: Settings;
  readonly progress: PushBenchOptions['progress'];
  readonly of: ThroughputCase;
}

async function throughput({ url, admin, writers, plan, progress, of }: ThroughputRequest): Promise<Speeds> {
  const speeds = new Map(of.contenders.map((contender) => [contender, [] as number[]]));
  const burst = (seconds: number) => writers.run({ kind: 'burst', seconds, prepared: of.prepared });
  // After it, every page that is written goes to the log as a whole, once: in nobody's turn, if it can be helped.
  await admin.query('checkpoint');
  await burst(2 * plan.secondsPerTurn);
  for (let round = 0; round < plan.rounds; round += 1) {
    progress(`push: ${of.name}, round ${round + 1} of ${plan.rounds}`);
    for (const contender of inTurns(of.contenders, round)) {
      await admin.query(triggersOf(contender));
      await admin.query('delete from evercache.change_log');
      await admin.query('vacuum analyze bench_rows, evercache.change_log');
      const { commits } = await IN_COMPANY[contender](url, () => burst(plan.secondsPerTurn));
      speeds.get(contender)!.push(commits / plan.secondsPerTurn);
    }
  }
  return speeds;
}

type Company = <R>(url: string, work: () => Promise<R>) => Promise<R>;

const alone: Company = (_, work) => work();

/** Who else is there while they write. */
const IN_COMPANY: Readonly<Record<Contender, Company>> = {
  'no trigger': alone,
  'bare insert': alone,
  log: alone,
  'log + leader': withLeader,
};

function latencyRows(name: string, values: readonly number[]): Measurement[] {
  return ([50, 99] as const).map((percent) => ({
    case: name,
    contender: 'push',
    metric: `commit to cache, p${percent}`,
    value: quantile(values, percent / 100),
    unit: 'ms',
    ratio: null,
  }));
}

/** Of the same round: what disturbs the machine for longer than that disturbs both. */
function sharesOf(contender: Contender, speeds: Speeds): number[] {
  return speeds.get(contender)!.map((speed, round) => speed / speeds.get('no trigger')![round]!);
}

function speedRows({ name, contenders }: ThroughputCase, speeds: Speeds): Measurement[] {
  return contenders.map((contender) => {
    const shares = sharesOf(contender, speeds);
    return {
      case: name,
      contender,
      metric: 'commits',
      value: median(speeds.get(contender)!),
      unit: '/s',
      ratio: median(shares),
      noise: noiseOfMedian(shares),
    };
  });
}

function judge(paced: readonly number[], speeds: Speeds): Target[] {
  const [p50, p99] = [quantile(paced, 0.5), quantile(paced, 0.99)];
  const share = (contender: Contender, least: number): Target => {
    const percent = median(sharesOf(contender, speeds)) * 100;
    return {
      target: `writers' throughput with ${contender}: >= ${least} % of that without a trigger`,
      measured: `${percent.toFixed(0)} %`,
      met: percent >= least,
    };
  };
  return [
    { target: 'commit to cache, p50: <= 30 ms', measured: `${p50.toFixed(1)} ms`, met: p50 <= 30 },
    { target: 'commit to cache, p99: <= 100 ms', measured: `${p99.toFixed(1)} ms`, met: p99 <= 100 },
    share('log', 75),
    share('log + leader', 70),
  ];
}
