import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fillTables } from '../docs/fill.ts';
import { type Table, tables } from '../docs/tables.ts';
import { type Result, readResult } from '../results.ts';

test('docs/performance.md has the tables that the results give; if not, `npm run bench:docs` writes them', () => {
  const page = readFileSync(new URL('../../docs/performance.md', import.meta.url), 'utf8');
  expect(page).toBe(fillTables(page, tables, readResult));
});

describe('the tables of a page', () => {
  const result: Result = { date: '2026-11-28T10:00:00Z', settings: {}, versions: {}, measurements: [], targets: [] };
  const table: Table = {
    bench: 'reads',
    caption: 'Reads',
    rows: () => [
      ['who', 'x'],
      ['Map', '1.00'],
    ],
  };
  const page = 'before\n<!-- table: reads -->\nold\n<!-- /table -->\nafter\n';

  test('are written between their marks, the same as often as that is done', () => {
    const filled = fillTables(page, { reads: table }, () => result);
    expect(filled).toBe(`before
<!-- table: reads -->

Reads; out of [the run of 2026-11-28](../bench/results/reads.json):

| who | x |
| --- | --- |
| Map | 1.00 |

<!-- /table -->
after
`);
    expect(fillTables(filled, { reads: table }, () => result)).toBe(filled);
  });

  test('are left out where there are no results, and come back with them', () => {
    const empty = fillTables(page, { reads: table }, () => undefined);
    expect(empty).toBe('before\n<!-- table: reads -->\n<!-- /table -->\nafter\n');
    expect(fillTables(empty, { reads: table }, () => result)).toContain('| Map | 1.00 |');
  });

  test('may hold what a replacement would take for a pattern', () => {
    const dollars: Table = { ...table, rows: () => [['$&', "$'"]] };
    expect(fillTables(page, { reads: dollars }, () => result)).toContain("| $& | $' |");
  });

  test('have one mark each: none without a table, none without an end, no table without one', () => {
    expect(() => fillTables(page, {}, () => result)).toThrow('a table "reads" that nobody writes');
    expect(() => fillTables(page, { reads: table, other: table }, () => result)).toThrow('<!-- table: other -->');
    expect(() => fillTables(page.replace('<!-- /table -->', ''), { reads: table }, () => result)).toThrow(
      '<!-- /table -->',
    );
  });
});
