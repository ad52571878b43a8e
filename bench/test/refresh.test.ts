import { expect, test } from 'vitest';
import { hasPostgres } from '../../test/support/use-postgres.ts';
import { refresh } from '../refresh.ts';

test('a smoke run of refresh measures everything that its targets speak of', { timeout: 120_000 }, async (context) => {
  if (!hasPostgres()) context.skip('no PostgreSQL');
  const { measurements, targets } = await refresh.run({
    quick: true,
    large: false,
    seconds: undefined,
    progress: () => {},
  });
  expect(measurements.filter(({ value }) => !(value >= 0))).toEqual([]);
  expect(targets).toHaveLength(16);
  // What no busy machine can change.
  const met = targets.filter((target) => target.met).map(({ target }) => target);
  expect(met).toContain('4000 rows: 1,000 changed: rows and bytes read <= 1.1 x those of the rows');
  expect(measurements).toContainEqual(
    expect.objectContaining({ contender: '0 rows changed', metric: 'statements', value: 1 }),
  );
  expect(measurements).toContainEqual(
    expect.objectContaining({ contender: 'mirror', metric: 'agents that do not see it', value: 0 }),
  );
});
