import { describe, expect, test } from 'vitest';
import { isWithinReach, onRows } from '../src/xmin/xids.ts';

describe('transaction ids', () => {
  test.each([
    ['800', '800'],
    ['4294967295', '4294967295'],
    ['4294967296', '0'],
    ['4294967299', '3'],
    ['30064771872', '800'],
  ])('%s stands on rows as %s', (xid, onRow) => {
    expect(onRows(xid)).toBe(onRow);
  });

  test.each([
    ['800', '800', true],
    ['4294967000', '4294967400', true],
    ['800', String(800 + 2 ** 30 - 1), true],
    ['800', String(800 + 2 ** 30), false],
    // The same on rows, and a whole circle apart.
    ['800', String(800 + 2 ** 32), false],
  ])('rows tell what was written between %s and %s: %s', (from, to, tell) => {
    expect(isWithinReach(from, to)).toBe(tell);
  });
});
