import { expect, test } from 'vitest';
import { RowIndex, toKeyText } from '../src/mirror/row-index.ts';

test.each([0, 1, 5])(
  'an index is what it would be if it were built anew, whatever came in which order (%s)',
  (bulk) => {
    const index = new RowIndex('group');
    const rows = new Map<string, { group: unknown }>();
    const below = (limit: number): number => Math.floor(Math.random() * limit);
    for (let step = 0; step < 3000; step += 1) {
      const key = `rows:${below(200)}`;
      const [before, group] = [rows.get(key), [undefined, null, below(4), `${below(4)}`, below(200)][below(5)]];
      const after = group === undefined ? undefined : { group };
      const [old, value] = [index.valueOf(before), index.valueOf(after)];
      if (after === undefined) rows.delete(key);
      else rows.set(key, after);
      if (old === value) continue;
      if (old !== undefined) index.remove(old, key);
      if (value !== undefined) index.add(value, key, below(6) < bulk);
      if (step % 50 !== 0) continue;
      for (let number = 0; number < 200; number += 1) {
        const expected = [...rows].filter(([, row]) => index.valueOf(row) === `${number}`).map(([found]) => found);
        expect(index.keys(`${number}`)).toEqual(expected.toSorted());
      }
    }
  },
);

test('what a value is as a key: the text of scalars, the JSON of several texts, and nothing else', () => {
  expect([7, '7', 7n, true, ['a', 7, 7n]].map(toKeyText)).toEqual(['7', '7', '7', 'true', '["a","7","7"]']);
  expect([null, undefined, {}].map(toKeyText)).toEqual([undefined, undefined, undefined]);
});

test('rows are found by a bigint, beyond what a number can tell apart', () => {
  const index = new RowIndex('owner');
  const owners = [2n ** 53n, 2n ** 53n + 1n];
  for (const [place, owner] of owners.entries()) index.add(index.valueOf({ owner })!, `rows:${place}`, false);
  expect(owners.map((owner) => index.keys(toKeyText(owner)!))).toEqual([['rows:0'], ['rows:1']]);
});
