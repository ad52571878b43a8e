import { describe, expect, test } from 'vitest';
import type { Source } from '../src/index.ts';
import { sourceContract } from '../testing/index.ts';
import { ALL, all, context, type Fault, failures, harness } from './support/contract-faults.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { SHAPES } from './support/set-up.ts';

expectNoUnhandledRejections();

describe.each([
  ...SHAPES,
  { shape: 'fetchAll and fetchChanges', methods: ['fetchAll', 'fetchChanges'] as const },
  { shape: 'fetchOne and watch', methods: ['fetchOne', 'watch'] as const },
  { shape: 'everything', methods: ALL },
])('a source with $shape keeps the contract', ({ methods }) => {
  for (const { title, run } of sourceContract(harness((source) => source, methods))) test(title, run);
});

const FAULTS: readonly Fault[] = [
  {
    fault: 'loses a row',
    check: 'gives every key once, with its value',
    wrap: (source) => ({
      fetchAll: async () => [...((await all(source)).entries as Map<string, number>)].slice(1),
    }),
  },
  {
    fault: 'gives a row twice',
    check: 'gives every key once, with its value',
    wrap: (source) => ({
      fetchAll: async () => [...((await all(source)).entries as Map<string, number>)].flatMap((row) => [row, row]),
    }),
  },
  {
    fault: 'answers null for absent',
    check: 'gives nothing, and does not fail, where there is nothing',
    wrap: (source) => ({
      fetchOne: async (key) => (await source.fetchOne!(key, context)) ?? (null as never),
    }),
  },
  {
    fault: 'keeps rows in a plain object',
    check: 'takes any string for a key',
    wrap: (source) => ({
      fetchMany: async (keys) => {
        const rows: Record<string, unknown> = {};
        for (const [key, value] of await source.fetchMany!(keys, context)) rows[key] = value;
        return new Map(Object.entries(rows)) as Map<string, number>;
      },
    }),
  },
  {
    fault: 'trims keys',
    check: 'takes any string for a key',
    wrap: (source) => ({ fetchOne: (key) => source.fetchOne!(key.trim(), context) }),
  },
  {
    fault: 'answers single keys with another value',
    check: 'answers single keys as it answers the whole',
    wrap: (source) => ({
      fetchOne: async (key) => ((await source.fetchOne!(key, context)) === undefined ? undefined : 42),
    }),
  },
  {
    fault: 'remembers its first answer',
    check: 'sees a change at the next call',
    wrap: (source) => {
      let first: ReturnType<NonNullable<Source<number>['fetchAll']>> | undefined;
      return { fetchAll: (given) => (first ??= source.fetchAll!(given)) };
    },
  },
  {
    fault: 'does not look at the signal',
    check: 'fails at once where the signal is aborted already',
    wrap: (source) => ({ fetchOne: (key) => source.fetchOne!(key, context) }),
  },
  {
    fault: 'fails where there is nothing',
    check: 'gives nothing, and does not fail, where there is nothing',
    wrap: (source) => ({
      fetchMany: async (keys) => {
        const rows = await source.fetchMany!(keys, context);
        if (rows.size === 0) throw new Error('no rows');
        return rows;
      },
    }),
  },
  {
    fault: 'can be read once only',
    check: 'can be left in the middle of a snapshot',
    wrap: (source) => {
      let readers = 0;
      return {
        fetchAll: async () => {
          readers += 1;
          if (readers > 1) throw new Error('still reading');
          const { entries } = await all(source);
          return (async function* () {
            yield* entries;
            readers -= 1;
          })();
        },
      };
    },
  },
];

test.each(FAULTS)('finds a source that $fault', async ({ check, wrap }) => {
  expect(await failures(wrap)).toContain(check);
});
