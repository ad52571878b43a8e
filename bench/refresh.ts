/**
 * What a refresh costs that follows the changes, on a real PostgreSQL of its own: of one table, of a mirror of several,
 * and with push. Each part has a database of its own.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startPrivatePostgres } from '../test/support/private-postgres.ts';
import type { Bench, BenchOptions, BenchReport, Measurement, Target } from './bench.ts';
import { ours } from './check/better.ts';
import { IN_MEMORY, measureInMemory } from './refresh/in-memory.ts';
import { measureMirror } from './refresh/mirror.ts';
import { push, settings as pushSettings } from './refresh/push.ts';
import { measureRows, ROWS_ROUNDS } from './refresh/rows.ts';
import { versionOfPostgres, versionsOf } from './versions.ts';

const ROWS = 100_000;
const LARGE_ROWS = 1_000_000;
const QUICK_ROWS = 4000;

/** As a server that is taken seriously: what writers pay for the log is judged against what they pay anyway. */
const SETTINGS = { fsync: 'on', full_page_writes: 'on', shared_buffers: '1GB', max_wal_size: '4GB' };

export const refresh: Bench = {
  title: 'a refresh that follows the changes, on PostgreSQL: time, bytes, memory, slices of work; mirrors; push',
  hasLargeSets: true,
  better: ours(/^(evercache\b|whole snapshot|\d+ rows changed|cache|mirror|log|push)/),
  run,
};

async function run({ quick, large, progress }: BenchOptions): Promise<BenchReport> {
  progress('starting PostgreSQL');
  const server = await startPrivatePostgres({ settings: SETTINGS });
  const changeLog = readFileSync(
    fileURLToPath(new URL('../packages/postgres/sql/change-log-1.sql', import.meta.url)),
    'utf8',
  );
  const sizes = quick ? [QUICK_ROWS] : large ? [ROWS, LARGE_ROWS] : [ROWS];
  try {
    const parts: { readonly measurements: readonly Measurement[]; readonly targets: readonly Target[] }[] = [];
    // What does not depend on the size of a table is left to a run without large sets.
    if (!large) parts.push(await measureInMemory({ quick, progress }));
    for (const rows of sizes) {
      parts.push(await measureRows({ databaseUrl: await server.createDatabase(), rows, quick, progress }));
    }
    if (!large) {
      parts.push(await measureMirror({ databaseUrl: await server.createDatabase(), changeLog, quick, progress }));
      parts.push(await push({ url: await server.createDatabase(), quick, progress }));
    }
    const measurements = parts.flatMap((part) => part.measurements);
    return {
      settings: {
        rows: sizes,
        server: SETTINGS,
        rounds: { rows: ROWS_ROUNDS, ...(!large && { inMemory: IN_MEMORY }) },
        ...(!large && { push: pushSettings }),
      },
      versions: await versions(server.url),
      measurements,
      targets: [...parts.flatMap((part) => part.targets), ...compareSizes(measurements, sizes)],
    };
  } finally {
    await server.stop();
  }
}

/** Cost follows the change, not the size. */
function compareSizes(measurements: readonly Measurement[], [small, large]: readonly number[]): Target[] {
  if (large === undefined) return [];
  const unchanged = (rows: number): number =>
    measurements.find((row) => row.case === `${rows} rows, on loopback` && row.contender === '0 rows changed')!.value;
  const ratio = unchanged(large) / unchanged(small!);
  return [
    {
      target: `unchanged: ${large} rows take <= 1.3 x the time of ${small}`,
      measured: `${ratio.toFixed(2)} x`,
      met: ratio <= 1.3,
    },
  ];
}

async function versions(url: string): Promise<Record<string, string>> {
  return { postgresql: await versionOfPostgres(url), ...versionsOf(['evercache', '@evercache/postgres', 'pg']) };
}
