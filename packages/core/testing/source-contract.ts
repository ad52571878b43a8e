/** What every source must do, as checks that any test runner can run. */
import assert from 'node:assert/strict';
import type { Duration } from '../src/duration.ts';
import { changesClauses } from './changes-contract.ts';
import {
  type Clause,
  context,
  ODD_KEYS,
  readAll,
  readSnapshot,
  rowsFor,
  type SourceHarness,
  sorted,
} from './harness.ts';
import { watchClauses } from './watch-contract.ts';

/** One check: give `title` and `run` to your test runner. */
export interface ContractCheck {
  readonly title: string;
  readonly run: () => Promise<void>;
}

/** What the contract leaves open. */
export interface ContractOptions {
  /** How long a watch may take to nudge after a change, or to give up. @default '5s' */
  readonly nudgeWithin?: Duration;
}

/**
 * The contract of a source. `makeHarness` is called once for each check. What a source has no method for is not asked
 * of it: those checks pass.
 *
 * ```ts
 * for (const { title, run } of sourceContract(makeHarness)) test(title, run);
 * ```
 */
export function sourceContract<T>(
  makeHarness: () => Promise<SourceHarness<T>>,
  { nudgeWithin = '5s' }: ContractOptions = {},
): ContractCheck[] {
  return [...rowClauses<T>(), ...changesClauses<T>(), ...watchClauses<T>(nudgeWithin)].map(([title, body]) => ({
    title,
    run: async () => body(await makeHarness()),
  }));
}

function rowClauses<T>(): Clause<T>[] {
  return [
    [
      'gives every key once, with its value',
      async (harness) => {
        const rows = rowsFor(harness, 'abc');
        await harness.setRows(rows);
        if (harness.source.fetchAll !== undefined)
          assert.deepEqual(sorted(await readAll(harness.source)), sorted(rows));
      },
    ],
    [
      'gives nothing, and does not fail, where there is nothing',
      async ({ source, setRows }) => {
        await setRows(new Map());
        if (source.fetchAll !== undefined) assert.deepEqual(await readAll(source), []);
        assert.equal(await source.fetchOne?.('a', context()), undefined);
        if (source.fetchMany !== undefined) assert.equal((await source.fetchMany(['a', 'b'], context())).size, 0);
      },
    ],
    [
      'answers single keys as it answers the whole',
      async (harness) => {
        const { source } = harness;
        const rows = rowsFor(harness, 'abc');
        await harness.setRows(rows);
        for (const [key, expected] of rows) {
          if (source.fetchOne !== undefined) assert.deepEqual(await source.fetchOne(key, context()), expected);
        }
        if (source.fetchMany === undefined) return;
        const found = await source.fetchMany(['c', 'missing', 'a'], context());
        assert.deepEqual(sorted(found), sorted([...rows].filter(([key]) => key !== 'b')));
      },
    ],
    [
      'takes any string for a key',
      async (harness) => {
        const { source } = harness;
        const rows = rowsFor(harness, ODD_KEYS);
        await harness.setRows(rows);
        if (source.fetchAll !== undefined) assert.deepEqual(sorted(await readAll(source)), sorted(rows));
        for (const [key, expected] of rows) {
          if (source.fetchOne !== undefined) assert.deepEqual(await source.fetchOne(key, context()), expected);
        }
        if (source.fetchMany === undefined) return;
        assert.deepEqual(sorted(await source.fetchMany(ODD_KEYS, context())), sorted(rows));
      },
    ],
    [
      'sees a change at the next call',
      async ({ source, setRows, value }) => {
        await setRows(new Map([['a', value(1)]]));
        if (source.fetchAll !== undefined) await readAll(source);
        await setRows(new Map([['b', value(2)]]));
        if (source.fetchAll !== undefined) assert.deepEqual(await readAll(source), [['b', value(2)]]);
        assert.equal(await source.fetchOne?.('a', context()), undefined);
      },
    ],
    [
      'can be left in the middle of a snapshot',
      async (harness) => {
        const { source } = harness;
        const rows = rowsFor(harness, 'abcdef');
        await harness.setRows(rows);
        if (source.fetchAll === undefined) return;
        const left = new Error('left in the middle');
        const leaving = readSnapshot(source, context(), () => {
          throw left;
        });
        await assert.rejects(leaving, left);
        assert.equal((await readAll(source)).length, rows.size);
      },
    ],
    [
      'fails at once where the signal is aborted already',
      async ({ source, setRows }) => {
        await setRows(new Map());
        const aborted = context(AbortSignal.abort(new Error('too late')));
        if (source.fetchAll !== undefined) await assert.rejects(readAll(source, aborted));
        if (source.fetchOne !== undefined) await assert.rejects(source.fetchOne('a', aborted));
        if (source.fetchMany !== undefined) await assert.rejects(source.fetchMany(['a'], aborted));
      },
    ],
  ];
}
