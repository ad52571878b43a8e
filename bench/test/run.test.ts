import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { usePostgres } from '../../test/support/use-postgres.ts';
import type { Measurement } from '../bench.ts';

const program = fileURLToPath(new URL('../run.ts', import.meta.url));

const run = (...options: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, ['--conditions=@evercache/source', program, ...options]);

test('names the benches there are when asked for another', async () => {
  await expect(run('no-such-bench')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'expected one of reads, memory, stampede, refresh, agent-load, derive, http, got "no-such-bench"',
    ),
  });
});

test('refuses to compare a smoke run with the results that are saved', async () => {
  await expect(run('reads', '--check', '--quick')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('its figures mean nothing'),
  });
});

test('refuses to compare what was watched for another time than the results that are saved', async () => {
  await expect(run('agent-load', '--check', '--seconds', '5')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has to be watched as long as it was'),
  });
});

describe('agent-load', () => {
  usePostgres(); // skips where there is no server: the bench starts one of its own

  test('prints one measurement a line, counts what each side asks, and counts nothing for a load from memory', {
    timeout: 120_000,
  }, async () => {
    const { stdout } = await run('agent-load', '--quick', '--json');
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Measurement & { bench: string });
    for (const row of rows) {
      expect(row).toEqual({
        bench: 'agent-load',
        case: expect.any(String),
        contender: expect.any(String),
        metric: expect.any(String),
        value: expect.any(Number),
        unit: expect.any(String),
        ratio: row.ratio === null ? null : expect.any(Number),
        ...(row.noise !== undefined && { noise: expect.any(Number) }),
      });
    }
    const measured = (name: string, contender: string, metric: string): number | undefined =>
      rows.find((row) => row.case === name && row.contender === contender && row.metric === metric)?.value;
    for (const contender of ['cached', 'uncached', 'uncached, chat server']) {
      expect(measured('database 0 ms away', contender, 'time per load')).toBeGreaterThan(0);
    }
    expect(measured('database 5 ms away', 'select 1', 'round trip')).toBeGreaterThanOrEqual(5000);
    expect(measured('database 5 ms away', 'uncached', 'time per load')).toBeGreaterThanOrEqual(5000);
    expect(measured('database 5 ms away', 'uncached, chat server', 'time per load')).toBeGreaterThanOrEqual(10_000);
    expect(measured('database 5 ms away', 'cached', 'time per load')).toBeLessThan(5000);
    const started = '600 loads from process start, 20 conversations';
    expect(measured(started, 'uncached', 'statements')).toBe(1800);
    expect(measured(started, 'uncached', 'statements for instructions of users')).toBe(600);
    // At most one for each conversation: those that are met together share one.
    const shared = measured(started, 'cached', 'statements for instructions of users');
    expect(shared).toBeGreaterThan(0);
    expect(shared).toBeLessThanOrEqual(25);
    expect(measured('600 loads, all 200 conversations in memory', 'cached', 'statements during the loads')).toBe(0);
    expect(measured('background at 10000 loads/s', 'cached', 'loads')).toBeGreaterThan(0);
  });
});
