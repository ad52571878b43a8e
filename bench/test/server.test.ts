import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { usePostgres } from '../../test/support/use-postgres.ts';
import type { Measurement } from '../bench.ts';

usePostgres(); // skips where there is no server: the benches start one of their own

const program = fileURLToPath(new URL('../run.ts', import.meta.url));

async function rowsOf(bench: string): Promise<Measurement[]> {
  const options = ['--conditions=@evercache/source', program, bench, '--quick', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Measurement);
}

const named = (rows: readonly Measurement[]) => rows.map((row) => [row.case, row.contender, row.metric]);

test('derive measures an agent that is loaded each time beside one that was built once', {
  timeout: 120_000,
}, async () => {
  const rows = await rowsOf('derive');
  expect(named(rows)).toEqual(
    ['built once', 'loaded each time'].flatMap((contender) => [
      ['an agent with 50 tools', contender, 'time per answer'],
    ]),
  );
  for (const { value } of rows) expect(value).toBeGreaterThan(0);
});

test('http measures a server with its caches beside one without, of equal answers', { timeout: 120_000 }, async () => {
  const rows = await rowsOf('http');
  expect(named(rows)).toEqual(
    ['GET /v1/models', 'chat with a tool call'].flatMap((name) =>
      ['caches on', 'caches off'].flatMap((contender) => [
        [name, contender, 'requests per second of processor time'],
        [name, contender, 'processor time per request'],
      ]),
    ),
  );
  // Whatever the machine does beside: who asks the database for everything works more.
  for (const row of rows) if (row.contender === 'caches on' && row.ratio !== null) expect(row.ratio).toBeGreaterThan(1);
});
