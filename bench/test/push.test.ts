import { expect, test } from 'vitest';
import { usePostgres } from '../../test/support/use-postgres.ts';
import { push } from '../refresh/push.ts';

const database = usePostgres();

test('a smoke run of push measures everything that its targets speak of', async () => {
  const { measurements, targets } = await push({ url: database.url, quick: true, progress: () => {} });
  expect(measurements.filter(({ value }) => !(value >= 0))).toEqual([]);
  expect(measurements.filter(({ metric }) => metric === 'commits').map(({ contender }) => contender)).toEqual([
    'no trigger',
    'log',
    'log + leader',
    'log + leader + cache',
  ]);
  expect(targets.map(({ target }) => target)).toHaveLength(4);
}, 60_000);
