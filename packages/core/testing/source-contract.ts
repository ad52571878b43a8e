/** What every source must do, as checks that any test runner can run. */
import assert from 'node:assert/strict';
import type { FetchContext, Source } from '../src/source.ts';

/** A source over rows that the checks can change. */
export interface SourceHarness<T> {
  readonly source: Source<T>;
  /** Makes the truth hold exactly these rows. */
  setRows(rows: ReadonlyMap<string, T>): Promise<void>;
  /** A value that the source hands out unchanged; different numbers give different values. */
  value(seed: number): T;
}

/** One check: give `title` and `run` to your test runner. */
export interface ContractCheck {
  readonly title: string;
  readonly run: () => Promise<void>;
}

const ODD_KEYS = [
  '__proto__',
  'constructor',
  '',
  ' ',
  "o'brien",
  '"',
  '\\',
  '%',
  '🔑',
  'a:b',
  'a/b',
  'x'.repeat(10_000),
];

/**
 * The contract of a source. `makeHarness` is called once for each check.
 *
 * ```ts
 * for (const { title, run } of sourceContract(makeHarness)) test(title, run);
 * ```
 */
export function sourceContract<T>(makeHarness: () => Promise<SourceHarness<T>>): ContractCheck[] {
  const check = (title: string, body: (harness: SourceHarness<T>) => Promise<void>): ContractCheck => ({
    title,
    run: async () => body(await makeHarness()),
  });
  return [
    check('gives every key once, with its value', async ({ source, setRows, value }) => {
      const rows = new Map([...'abc'].map((key, index) => [key, value(index)]));
      await setRows(rows);
      if (source.fetchAll !== undefined) assert.deepEqual(sorted(await readAll(source)), sorted([...rows]));
    }),
    check('gives nothing, and does not fail, where there is nothing', async ({ source, setRows }) => {
      await setRows(new Map());
      if (source.fetchAll !== undefined) assert.deepEqual(await readAll(source), []);
      assert.equal(await source.fetchOne?.('a', context()), undefined);
      if (source.fetchMany !== undefined) assert.equal((await source.fetchMany(['a', 'b'], context())).size, 0);
    }),
    check('answers single keys as it answers the whole', async ({ source, setRows, value }) => {
      const rows = new Map([...'abc'].map((key, index) => [key, value(index)]));
      await setRows(rows);
      for (const [key, expected] of rows) {
        if (source.fetchOne !== undefined) assert.deepEqual(await source.fetchOne(key, context()), expected);
      }
      if (source.fetchMany === undefined) return;
      const found = await source.fetchMany(['c', 'missing', 'a'], context());
      assert.deepEqual(sorted([...found]), sorted([...rows].filter(([key]) => key !== 'b')));
    }),
    check('takes any string for a key', async ({ source, setRows, value }) => {
      const rows = new Map(ODD_KEYS.map((key, index) => [key, value(index)]));
      await setRows(rows);
      if (source.fetchAll !== undefined) assert.deepEqual(sorted(await readAll(source)), sorted([...rows]));
      for (const [key, expected] of rows) {
        if (source.fetchOne !== undefined) assert.deepEqual(await source.fetchOne(key, context()), expected);
      }
      if (source.fetchMany === undefined) return;
      assert.deepEqual(sorted([...(await source.fetchMany(ODD_KEYS, context()))]), sorted([...rows]));
    }),
    check('sees a change at the next call', async ({ source, setRows, value }) => {
      await setRows(new Map([['a', value(1)]]));
      if (source.fetchAll !== undefined) await readAll(source);
      await setRows(new Map([['b', value(2)]]));
      if (source.fetchAll !== undefined) assert.deepEqual(await readAll(source), [['b', value(2)]]);
      assert.equal(await source.fetchOne?.('a', context()), undefined);
    }),
    check('can be left in the middle of a snapshot', async ({ source, setRows, value }) => {
      const rows = new Map([...'abcdef'].map((key, index) => [key, value(index)]));
      await setRows(rows);
      if (source.fetchAll === undefined) return;
      for await (const _ of entriesOf(await source.fetchAll(context()))) break;
      assert.equal((await readAll(source)).length, rows.size);
    }),
    check('fails at once where the signal is aborted already', async ({ source, setRows }) => {
      await setRows(new Map());
      const aborted = { signal: AbortSignal.abort(new Error('too late')), reason: 'test' };
      if (source.fetchAll !== undefined) await assert.rejects(readAll(source, aborted));
      if (source.fetchOne !== undefined) await assert.rejects(source.fetchOne('a', aborted));
      if (source.fetchMany !== undefined) await assert.rejects(source.fetchMany(['a'], aborted));
    }),
  ];
}

function context(): FetchContext {
  return { signal: new AbortController().signal, reason: 'test' };
}

async function readAll<T>(source: Source<T>, given = context()): Promise<(readonly [string, T])[]> {
  const entries: (readonly [string, T])[] = [];
  for await (const entry of entriesOf(await source.fetchAll!(given))) entries.push(entry);
  return entries;
}

function entriesOf<T>(
  answer: Awaited<ReturnType<NonNullable<Source<T>['fetchAll']>>>,
): AsyncIterable<readonly [string, T]> | Iterable<readonly [string, T]> {
  return Symbol.iterator in answer || Symbol.asyncIterator in answer ? answer : answer.entries;
}

function sorted<T>(entries: readonly (readonly [string, T])[]): (readonly [string, T])[] {
  return entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
