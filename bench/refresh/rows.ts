/**
 * What a refresh costs that follows the changes of one table: time, round trips and bytes, beside a named `SELECT 1` on
 * the same connection and our own whole snapshot; and how long it keeps the thread.
 */
import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { postgresSource } from '@evercache/postgres';
import { TTLCacheService } from 'evercache';
import pg from 'pg';
import type { BenchOptions, Measurement, Target } from '../bench.ts';
import { startProxy } from '../proxy-thread.ts';
import { median, noiseOfMedian } from '../statistics.ts';
import { collector, plainMap } from './memory.ts';
import { type Slices, watchSlices } from './slices.ts';

interface RowsBenchOptions extends Pick<BenchOptions, 'quick' | 'progress'> {
  /** A database of its own, empty, on a PostgreSQL where the change log may be installed. */
  readonly databaseUrl: string;
  /** How many rows the table has. */
  readonly rows: number;
}

interface Part {
  readonly measurements: Measurement[];
  readonly targets: Target[];
}

/** Added to each round trip where the database is away. */
const DELAY_MS = 1;
const CHANGED = [0, 10, 1000];

/** Of each kind of refresh. */
export const ROWS_ROUNDS = 40;

export async function measureRows({ databaseUrl, rows, quick, progress }: RowsBenchOptions): Promise<Part> {
  const rounds = quick ? 3 : ROWS_ROUNDS;
  const admin = new pg.Client({ connectionString: databaseUrl });
  await admin.connect();
  const proxy = await startProxy(databaseUrl);
  try {
    progress(`a table of ${rows} rows`);
    await prepare(admin, rows);
    const measurements: Measurement[] = [];
    await proxy.setDelay(DELAY_MS);
    // The proxy adds some tenths of a millisecond of its own, which would hide what a refresh takes on loopback.
    for (const [where, url] of [
      ['on loopback', databaseUrl],
      [`${DELAY_MS} ms away`, proxy.url],
    ] as const) {
      progress(`${rows} rows, ${where}`);
      const name = `${rows} rows, ${where}`;
      measurements.push(...(await refreshes({ admin, url, rows, rounds, name, whole: quick ? 1 : 3 })));
    }
    progress(`${rows} rows: memory, and slices of work`);
    measurements.push(...(await memoryAndSlices({ admin, databaseUrl, rows, rounds })));
    return { measurements, targets: judge(measurements, rows) };
  } finally {
    await proxy.stop();
    await admin.end();
  }
}

async function prepare(admin: pg.Client, rows: number): Promise<void> {
  const log = fileURLToPath(new URL('../../packages/postgres/sql/change-log-1.sql', import.meta.url));
  await admin.query(readFileSync(log, 'utf8'));
  // About 500 bytes of jsonb.
  await admin.query(`create table bench_rows (id int primary key, n int not null, config jsonb not null)
    with (fillfactor = 80, autovacuum_enabled = off)`);
  await admin.query(`insert into bench_rows select id, 0, jsonb_build_object('name', 'row ' || id, 'text', (
      select string_agg(md5(id::text || part), ' ') from generate_series(1, 14) as part))
    from generate_series(1, ${rows}) as id`);
  await admin.query(`select evercache.follow('bench_rows')`);
  await admin.query('vacuum analyze bench_rows');
}

/** A cache on one connection that refreshes only when it is told to. */
function open(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const sockets: Socket[] = [];
  let trips = 0;
  let rowsRead = 0;
  pool.on('connect', (client) => {
    const { connection } = client as unknown as { connection: EventEmitter & { stream: Socket } };
    sockets.push(connection.stream);
    // The server says so once after each statement, and nobody asks for the next before that.
    connection.on('readyForQuery', () => {
      trips += 1;
    });
    connection.on('dataRow', () => {
      rowsRead += 1;
    });
  });
  const source = postgresSource({
    client: pool,
    select: 'select id, n, config from bench_rows',
    key: 'id',
    follow: { bench_rows: 'key' },
  });
  const cache = new TTLCacheService({ name: 'bench', source, ttl: '1d', refreshInterval: '1h', refreshTimeout: '10m' });
  return {
    pool,
    cache,
    bytesRead: (): number => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    trips: (): number => trips,
    rowsRead: (): number => rowsRead,
    async stop(): Promise<void> {
      await cache.stop();
      await pool.end();
    },
  };
}

interface Refreshes {
  readonly admin: pg.Client;
  readonly url: string;
  readonly rows: number;
  readonly rounds: number;
  readonly name: string;
  /** How many whole snapshots are timed. */
  readonly whole: number;
}

async function refreshes({ admin, url, rows, rounds, name, whole }: Refreshes): Promise<Measurement[]> {
  const { pool, cache, bytesRead, trips, rowsRead, stop } = open(url);
  const measurements: Measurement[] = [];
  try {
    await cache.start();
    const wholeTimes: number[] = [];
    for (let round = 0; round < whole; round += 1)
      wholeTimes.push((await timed(() => cache.refresh({ full: true }))).ms);
    const bare: number[] = [];
    const times = new Map(CHANGED.map((changed) => [changed, [] as number[]]));
    const bytes = new Map(CHANGED.map((changed) => [changed, [] as number[]]));
    const statements = new Map(CHANGED.map((changed) => [changed, [] as number[]]));
    const rowCounts = new Map(CHANGED.map((changed) => [changed, [] as number[]]));
    // Interleaved, so that all see the same moods of the machine. The first rounds prepare the statements.
    for (let round = 0; round < rounds + 3; round += 1) {
      const one = await timed(() => pool.query({ name: 'bench_one', text: 'select 1' }));
      if (round >= 3) bare.push(one.ms);
      for (const changed of CHANGED) {
        if (changed > 0) await change(admin, rows, changed, round);
        const before = { bytes: bytesRead(), trips: trips(), rows: rowsRead() };
        const { ms, result } = await timed(() => cache.refresh());
        if (result.kind !== 'delta' || result.updated !== changed)
          throw new Error(`a refresh did ${JSON.stringify(result)}`);
        if (round < 3) continue;
        times.get(changed)!.push(ms);
        bytes.get(changed)!.push(bytesRead() - before.bytes);
        statements.get(changed)!.push(trips() - before.trips);
        rowCounts.get(changed)!.push(rowsRead() - before.rows);
      }
    }
    const unit = median(bare);
    const wholeMs = median(wholeTimes);
    const row = (
      contender: string,
      metric: string,
      value: number,
      unitName: string,
      ratio: number | null,
      noise?: number,
    ): Measurement => ({
      case: name,
      contender,
      metric,
      value,
      unit: unitName,
      ratio,
      ...(noise !== undefined && { noise }),
    });
    measurements.push(row('named SELECT 1', 'time', unit, 'ms', 1));
    // Not in the same rounds: both may be off.
    const wholeNoise = noiseOfMedian(wholeTimes) + noiseOfMedian(bare);
    measurements.push(row('whole snapshot', 'time', wholeMs, 'ms', wholeMs / unit, wholeNoise));
    for (const changed of CHANGED) {
      const who = `${changed} rows changed`;
      const ms = median(times.get(changed)!);
      const read = median(bytes.get(changed)!);
      const of = changed === 0 ? undefined : await bytesOf(admin, rows, changed);
      const besideBare = times.get(changed)!.map((took, round) => took / bare[round]!);
      measurements.push(row(who, 'time', ms, 'ms', ms / unit, noiseOfMedian(besideBare)));
      measurements.push(row(who, 'time, of a whole snapshot', ms / wholeMs, 'share', null));
      measurements.push(row(who, 'statements', median(statements.get(changed)!), 'statements', null));
      const rowCount = median(rowCounts.get(changed)!);
      measurements.push(row(who, 'rows read', rowCount, 'rows', changed === 0 ? null : rowCount / changed));
      measurements.push(row(who, 'bytes read', read, 'bytes', of === undefined ? null : read / of));
    }
  } finally {
    await stop();
  }
  return measurements;
}

const STEP = 7919;

/** Other rows each time, spread over the table. */
async function change(admin: pg.Client, rows: number, changed: number, round: number): Promise<void> {
  const step = Math.max(1, Math.floor(rows / changed));
  await admin.query(
    `update bench_rows set n = n + 1 where id in (
      select 1 + (($1::int + part * $2::int) % $3::int) from generate_series(0, $4::int - 1) as part)`,
    [(round * STEP) % rows, step, rows, changed],
  );
}

/** What so many rows are on the wire: a key, the text, and fifteen bytes around them. */
async function bytesOf(admin: pg.Client, rows: number, changed: number): Promise<number> {
  const { rows: found } = await admin.query<{ bytes: number }>(
    `select (avg(octet_length(id::text) + octet_length(row_to_json(r)::text) + 15) * $1)::float8 as bytes
     from (select id, n, config from bench_rows where id <= least($2::int, 10000)) as r`,
    [changed, rows],
  );
  return found[0]!.bytes;
}

interface MemoryAndSlices {
  readonly admin: pg.Client;
  readonly databaseUrl: string;
  readonly rows: number;
  readonly rounds: number;
}

async function memoryAndSlices({ admin, databaseUrl, rows, rounds }: MemoryAndSlices): Promise<Measurement[]> {
  const collect = collector();
  const before = await collect();
  let plain: ReadonlyMap<string, unknown> | undefined = await plainMap(admin, 'bench_rows');
  const plainBytes = (await collect()) - before;
  const { size } = plain;
  plain = undefined;
  const empty = await collect();
  const { cache, stop } = open(databaseUrl);
  const measurements: Measurement[] = [];
  try {
    const first = await watchSlices(() => cache.start());
    const cacheBytes = (await collect()) - empty;
    const steady = await watchSlices(async () => {
      // A thousand slices at least, or the share of 99.9 % would be the longest one.
      for (let round = 0; round < 10 * rounds; round += 1) {
        await change(admin, rows, 10, round);
        await cache.refresh();
      }
    });
    const idle = await watchSlices(() => new Promise((resolve) => setTimeout(resolve, rounds * 30)));
    const name = `${rows} rows`;
    const heap = (contender: string, bytes: number): Measurement => ({
      case: name,
      contender,
      metric: 'heap per row',
      value: bytes / size,
      unit: 'bytes',
      ratio: bytes / plainBytes,
    });
    const slices = (contender: string, { cpuMs, cpuMaxMs, blockMs }: Slices): Measurement[] =>
      Object.entries({
        'slice p99.9 (CPU)': cpuMs,
        'longest slice (CPU)': cpuMaxMs,
        'longest block (wall)': blockMs,
      }).map(([metric, value]) => ({ case: name, contender, metric, value, unit: 'ms', ratio: null }));
    measurements.push(heap('plain Map', plainBytes), heap('cache', cacheBytes));
    measurements.push(...slices('first load', first), ...slices('10 rows changed', steady), ...slices('idle', idle));
  } finally {
    await stop();
  }
  return measurements;
}

function judge(measurements: readonly Measurement[], rows: number): Target[] {
  const find = (name: string, contender: string, metric: string): Measurement =>
    measurements.find((row) => row.case === name && row.contender === contender && row.metric === metric)!;
  const near = `${rows} rows, on loopback`;
  const ratio = (changed: number): number => find(near, `${changed} rows changed`, 'time').ratio!;
  const statements = find(near, '0 rows changed', 'statements').value;
  const share = find(near, '1000 rows changed', 'time, of a whole snapshot').value;
  const bytes = find(near, '1000 rows changed', 'bytes read').ratio!;
  const read = find(near, '1000 rows changed', 'rows read').ratio!;
  const heap = find(`${rows} rows`, 'cache', 'heap per row').ratio!;
  const slice = (contender: string): number => find(`${rows} rows`, contender, 'slice p99.9 (CPU)').value;
  const longest = find(`${rows} rows`, 'first load', 'longest slice (CPU)').value;
  const [part, first] = rows >= 1_000_000 ? [150, 150] : [15, 50];
  const target = (text: string, measured: string, met: boolean): Target => ({
    target: `${rows} rows: ${text}`,
    measured,
    met,
  });
  return [
    target(
      'unchanged: one statement, <= 4 x SELECT 1',
      `${statements}, ${ratio(0).toFixed(1)} x`,
      statements === 1 && ratio(0) <= 4,
    ),
    target('10 changed: <= 6 x SELECT 1', `${ratio(10).toFixed(1)} x`, ratio(10) <= 6),
    target(
      '1,000 changed: rows and bytes read <= 1.1 x those of the rows',
      `${read.toFixed(2)} x, ${bytes.toFixed(2)} x`,
      read <= 1.1 && bytes <= 1.1,
    ),
    target(`1,000 changed: <= 1/${part} of a whole snapshot`, `1/${(1 / share).toFixed(0)}`, share <= 1 / part),
    target('heap <= 1.15 x the same rows in a plain Map', `${heap.toFixed(3)} x`, heap <= 1.15),
    target(
      'slices of steady work: p99.9 <= 10 ms',
      `${slice('10 rows changed').toFixed(1)} ms`,
      slice('10 rows changed') <= 10,
    ),
    target(`slices of the first load: <= ${first} ms`, `${longest.toFixed(1)} ms`, longest <= first),
  ];
}

async function timed<R>(work: () => Promise<R>): Promise<{ readonly ms: number; readonly result: R }> {
  const startedAt = performance.now();
  const result = await work();
  return { ms: performance.now() - startedAt, result };
}
