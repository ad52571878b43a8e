import { expect, test } from 'vitest';
import { MetKeys } from '../src/xmin/met-keys.ts';

test('keys that were met are known until they are settled, or until there are no deltas to settle them', () => {
  const met = new MetKeys();
  const start = met.now;
  met.add(['a', 'b']);
  const then = met.now;
  met.add(['b', 'c']);
  met.forgetUntil(then);
  expect([[...met.keys], met.areKnownSince(start)]).toEqual([['b', 'c'], true]);
  met.lose();
  expect([[...met.keys], met.areKnownSince(then), met.areKnownSince(met.now)]).toEqual([[], false, true]);
});
