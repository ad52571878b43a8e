/** A few seconds of everything that `npm run torture` does for minutes; and what it would say of a mirror that lies. */
import { execFile } from 'node:child_process';
import { expect, test } from 'vitest';
import { hasPostgres } from '../../../test/support/use-postgres.ts';
import { History } from '../torture/history.ts';
import { settingsFrom } from '../torture/settings.ts';

function torture(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const file = new URL('../torture/run.ts', import.meta.url).pathname;
    const child = execFile(process.execPath, ['--conditions=@evercache/source', file, ...args], (_, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr });
    });
  });
}

test('mirrors of a database that is killed, cut off and promoted equal its tables at each step', {
  timeout: 120_000,
}, async (context) => {
  if (!hasPostgres()) context.skip('no PostgreSQL');
  const { code, output } = await torture('--seconds', '3');
  expect(output, output).toContain('verdict: passed');
  for (const done of [
    'primary killed',
    'log pruned',
    'server frozen',
    'triggers off while rows were written',
    'promotion that lost commits',
  ]) {
    expect(output).toMatch(new RegExp(`[1-9][\\d,]* {2}faults: ${done}$`, 'm'));
  }
  expect(output).toMatch(/[1-9][\d,]* {2}mirrors that are equal to the tables$/m);
  expect(code).toBe(0);
});

test.each([
  [['--seconds', 'ten'], 'option "--seconds": expected a number greater than 0, got "ten"'],
  [['--seed', '0.5'], 'option "--seed": expected a whole number, got "0.5"'],
  [['--minutes', '1'], "Unknown option '--minutes'"],
])('%s is refused', (args, message) => {
  expect(() => settingsFrom(args)).toThrow(message);
});

test('a run of a few seconds meets with a few faults, a longer one with all, and a long one with all that may come of them', () => {
  expect(settingsFrom(['--seconds', '5', '--seed', '7'])).toEqual({ seconds: 5, seed: 7, extent: 'short' });
  expect(settingsFrom(['--seconds', '30'])).toMatchObject({ extent: 'middle' });
  expect(settingsFrom([])).toMatchObject({ seconds: 300, extent: 'long' });
});

test('a state that shows a transaction without one that was acknowledged before it lacks something', () => {
  const history = new History();
  const commit = (writer: string, commits: number): void => {
    history.committing(writer, { epoch: history.epoch, commits });
    history.committed(writer, { epoch: history.epoch, commits });
  };
  const lackOf = (...marks: [string, number, number][]) =>
    history.lackOf(new Map(marks.map(([writer, epoch, commits]) => [writer, { epoch, commits }])));
  commit('a', 1);
  commit('b', 1);
  commit('a', 2);
  expect(lackOf(['a', 0, 1])).toBeUndefined();
  expect(lackOf(['a', 0, 1], ['b', 0, 1])).toBeUndefined();
  expect(lackOf(['a', 0, 2])).toBe('a/0/2 without b/0/1, but nothing');
  expect(lackOf(['a', 0, 2], ['b', 0, 0])).toBe('a/0/2 without b/0/1, but b/0/0');
  expect(lackOf(['c', 0, 1])).toBe('c/0/1 was never committed');
  history.beginEpoch();
  history.committed('a', { epoch: 0, commits: 1 });
  commit('b', 1);
  expect(lackOf(['a', 0, 1], ['b', 1, 1])).toBeUndefined();
  expect(lackOf(['b', 1, 1])).toBe('b/1/1 without a/0/1, but nothing');
});
