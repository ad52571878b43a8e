/** The conformance kit finds nothing wrong with ours but what we know of, and does find fault with what is at fault. */
import { expect, test } from 'vitest';
import { probeGroups } from '../conformance/probe-groups.ts';
import type { Result } from '../conformance/result.ts';
import { runContender } from '../conformance/run-contender.ts';
import { type Column, writeScoreboard } from '../conformance/scoreboard.ts';

/** Where we chose otherwise. */
const knownLosses = [
  'recovery-at-once', // A source that is down is spared: the breaker's next probe finds out that it is back.
  'source-keeps-its-object', // Frozen in place, not copied.
  'used-stays', // With `maxEntries`, the oldest entry goes first.
  'waiting-caller-is-not-misled', // The caller may get the older value; it is not stored.
];

/** What nobody can get right without a fence around what is under way. */
const racesOfAPlainMap = [
  'delete-during-fetch',
  'clear-during-fetch',
  'delete-during-reload',
  'read-after-delete',
  'one-flight',
  'one-flight-that-fails',
];

function fail(): never {
  throw new Error('not meant to be opened');
}

function idsOf(results: ReadonlyMap<string, Result>, verdict: Result['verdict']): string[] {
  return [...results].filter(([, result]) => result.verdict === verdict).map(([id]) => id);
}

test('ours behaves as every probe expects that applies to it, but for the known losses', {
  timeout: 90_000,
}, async () => {
  const results = await runContender('evercache');
  const failures = [...results].filter(([id, { verdict }]) => verdict === 'fail' && !knownLosses.includes(id));
  expect(failures).toEqual([]);
  expect(idsOf(results, 'fail').toSorted()).toEqual(knownLosses);
  expect(idsOf(results, 'pass').length).toBeGreaterThan(60);
});

test('a plain Map fails where a fence, a flight or an expiry is missing', { timeout: 90_000 }, async () => {
  const results = await runContender('plain-map');
  expect(idsOf(results, 'fail')).toEqual(expect.arrayContaining(racesOfAPlainMap));
  expect(results.get('delete-during-fetch')).toEqual({ verdict: 'fail', observed: 'the next read gets the old value' });
  expect(results.get('one-flight')).toEqual({ verdict: 'fail', observed: '1000 calls, 1000 values' });
  expect(idsOf(results, 'pass')).toContain('miss-in-an-outage-is-an-error');
  expect(results.get('preload')).toMatchObject({ verdict: 'n/a' });
});

test('the page shows every verdict, and in words what was seen where it was not as expected', () => {
  const [group] = probeGroups;
  const [first, ...others] = group!.probes;
  const column = (name: string, result: Result): Column => ({
    contender: { name, package: name, configuration: 'as it comes', absent: undefined, open: fail, openPlain: fail },
    version: '1.2.3',
    results: new Map<string, Result>([
      [first!.id, result],
      ...others.map(({ id }): [string, Result] => [id, { verdict: 'pass', observed: 'all right' }]),
    ]),
  });
  const page = writeScoreboard(
    [group!],
    [
      column('good', { verdict: 'pass', observed: 'the new value' }),
      column('bad', { verdict: 'fail', observed: 'the old | value' }),
      column('other', { verdict: 'n/a', observed: 'offers no such thing' }),
    ],
    { date: '2026-01-02', node: '24.0.0', tookSeconds: 3 },
  );
  expect(page).toContain('on 2026-01-02 with Node 24.0.0, in 3 s');
  expect(page).toContain('| bad | 1.2.3 | as it comes |');
  expect(page).toContain(`| [${first!.title}](#${first!.id}) | ✓ | ✗ | – |`);
  expect(page).toContain('- bad: the old \\| value');
  expect(page).not.toContain('offers no such thing');
});

test('every probe has an id of its own and says what it expects and why', () => {
  const probes = probeGroups.flatMap((group) => group.probes);
  expect(new Set(probes.map(({ id }) => id)).size).toBe(probes.length);
  for (const { title, expected, why } of probes) for (const text of [title, expected, why]) expect(text).not.toBe('');
});
