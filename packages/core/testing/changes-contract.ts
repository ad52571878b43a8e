/** The part of the contract that is about following changes. */
import assert from 'node:assert/strict';
import type { Source } from '../src/source.ts';
import { type Clause, context, ODD_KEYS, readSnapshot, rowsFor, type SourceHarness, sorted } from './harness.ts';

/** A delta that was read to its end. */
interface Changes<T> {
  readonly upserts: ReadonlyMap<string, T>;
  readonly deletes: ReadonlySet<string>;
  readonly cursor: unknown;
}

/** What a cache would hold, and from where it would go on. */
interface Copy<T> {
  readonly rows: Map<string, T>;
  readonly cursor: unknown;
}

/** The checks of a source with `fetchChanges`. */
export function changesClauses<T>(): Clause<T>[] {
  const clauses: Clause<T>[] = [
    [
      'gives a position with the snapshot, from which there is nothing new as long as nothing changes',
      async (harness) => {
        const { cursor } = await copyOf(harness, rowsFor(harness, 'abc'));
        assertChanges(await readChanges(harness.source, cursor), [], []);
        await harness.setRows(new Map());
        const emptied = await copyOf(harness, new Map());
        assertChanges(await readChanges(harness.source, emptied.cursor), [], []);
      },
    ],
    [
      'brings exactly what was added, changed and removed',
      async (harness) => {
        const rows = rowsFor(harness, 'abcd');
        const added = ['e', harness.value(10)] as const;
        const changed = ['b', harness.value(11)] as const;
        const cases: readonly { upserts: readonly (readonly [string, T])[]; deletes: readonly string[] }[] = [
          { upserts: [added], deletes: [] },
          { upserts: [changed], deletes: [] },
          { upserts: [], deletes: ['c'] },
          { upserts: [added, changed], deletes: ['a', 'c'] },
          { upserts: [], deletes: [...'abcd'] },
        ];
        for (const { upserts, deletes } of cases) {
          const { cursor } = await copyOf(harness, rows);
          await harness.setRows(new Map([...rows, ...upserts].filter(([key]) => !deletes.includes(key))));
          assertChanges(await readChanges(harness.source, cursor), upserts, deletes);
        }
      },
    ],
    [
      'goes on where the last delta ended',
      async (harness) => {
        const copy = await copyOf(harness, rowsFor(harness, 'abc'));
        await harness.setRows(rowsFor(harness, 'abcd'));
        const first = await readChanges(harness.source, copy.cursor);
        assertChanges(first, [['d', harness.value(3)]], []);
        assertChanges(await readChanges(harness.source, first.cursor), [], []);
        await harness.setRows(rowsFor(harness, 'ab'));
        const second = await readChanges(harness.source, first.cursor);
        assertChanges(second, [], ['c', 'd']);
        await harness.setRows(rowsFor(harness, 'ab', 5));
        const third = await readChanges(harness.source, second.cursor);
        assertChanges(third, rowsFor(harness, 'ab', 5), []);
        assertChanges(await readChanges(harness.source, third.cursor), [], []);
      },
    ],
    [
      'brings the end of what came and went meanwhile',
      async (harness) => {
        const rows = rowsFor(harness, 'abc');
        const copy = await copyOf(harness, rows);
        await harness.setRows(new Map());
        await harness.setRows(rowsFor(harness, 'abx', 7));
        await harness.setRows(rowsFor(harness, 'ab', 8));
        await harness.setRows(rowsFor(harness, 'abc', 9));
        const truth = rowsFor(harness, 'abc', 9);
        assertHolds(apply(copy, await readChanges(harness.source, copy.cursor)), truth);
      },
    ],
    [
      'gives the same changes again from the same position',
      async (harness) => {
        const { source, setRows } = harness;
        const copy = await copyOf(harness, rowsFor(harness, 'abcdef'));
        await setRows(rowsFor(harness, 'abcd', 20));
        const left = new Error('left in the middle');
        const leaving = readChanges(source, copy.cursor, () => {
          throw left;
        });
        await assert.rejects(leaving, left);
        for (const _ of ['once', 'twice']) {
          assertChanges(await readChanges(source, copy.cursor), rowsFor(harness, 'abcd', 20), ['e', 'f']);
        }
      },
    ],
    [
      'loses nothing that changes while a snapshot or a delta is read',
      async (harness) => {
        const { source, setRows } = harness;
        await setRows(rowsFor(harness, 'abcdef'));
        const snapshot = await during(
          () => setRows(rowsFor(harness, 'efgh', 30)),
          (onRow) => readSnapshot(source, context(), onRow),
        );
        const first = await during(
          () => setRows(rowsFor(harness, 'fghi', 40)),
          (onRow) => readChanges(source, snapshot.cursor, onRow),
        );
        const copy = apply({ rows: new Map(snapshot.entries), cursor: snapshot.cursor }, first);
        const second = await readChanges(source, copy.cursor);
        assertHolds(apply(copy, second), rowsFor(harness, 'fghi', 40));
      },
    ],
    [
      'takes any string for the key of a change',
      async (harness) => {
        const { cursor } = await copyOf(harness, new Map());
        const rows = rowsFor(harness, ODD_KEYS);
        await harness.setRows(rows);
        const arrived = await readChanges(harness.source, cursor);
        assertChanges(arrived, rows, []);
        await harness.setRows(new Map());
        assertChanges(await readChanges(harness.source, arrived.cursor), [], ODD_KEYS);
      },
    ],
    [
      'does not go on from a position that it never gave',
      async (harness) => {
        await copyOf(harness, rowsFor(harness, 'abc'));
        await assert.rejects(readChanges(harness.source, { never: 'given' }));
      },
    ],
    [
      'gives no changes where the signal is aborted already',
      async (harness) => {
        const { cursor } = await copyOf(harness, rowsFor(harness, 'abc'));
        const aborted = context(AbortSignal.abort(new Error('too late')));
        await assert.rejects(async () => {
          const answer = await harness.source.fetchChanges!(cursor, aborted);
          if (answer !== 'resync') for await (const _ of answer.upserts);
        });
      },
    ],
  ];
  return clauses.map(([title, body]) => [
    title,
    async (harness) => {
      if (harness.source.fetchChanges !== undefined) await body(harness);
    },
  ]);
}

/** Makes the truth hold these rows, and reads all of it. */
async function copyOf<T>({ source, setRows }: SourceHarness<T>, rows: ReadonlyMap<string, T>): Promise<Copy<T>> {
  await setRows(rows);
  const { entries, cursor } = await readSnapshot(source);
  assert.deepEqual(sorted(entries), sorted(rows));
  assert.notEqual(cursor, undefined, 'the snapshot has no cursor');
  return { rows: new Map(entries), cursor };
}

/** Calls `onUpsert` after each upsert; reads the cursor at the end, as a cache does. */
async function readChanges<T>(
  source: Source<T>,
  since: unknown,
  onUpsert: () => void = () => undefined,
): Promise<Changes<T>> {
  const delta = await source.fetchChanges!(since, context());
  if (delta === 'resync') assert.fail('a delta was expected, the answer is a resync');
  const upserts = new Map<string, T>();
  for await (const [key, value] of delta.upserts) {
    assert.ok(!upserts.has(key), 'a key comes twice');
    upserts.set(key, value);
    onUpsert();
  }
  const deletes = new Set(delta.deletes);
  assert.ok(![...deletes].some((key) => upserts.has(key)), 'a key is among the upserts and among the deletes');
  assert.notEqual(delta.cursor, undefined, 'the delta has no cursor');
  return { upserts, deletes, cursor: delta.cursor };
}

function apply<T>({ rows }: Copy<T>, { upserts, deletes, cursor }: Changes<T>): Copy<T> {
  const next = new Map([...rows, ...upserts]);
  for (const key of deletes) next.delete(key);
  return { rows: next, cursor };
}

function assertHolds<T>(copy: Copy<T>, truth: ReadonlyMap<string, T>): void {
  assert.deepEqual(sorted(copy.rows), sorted(truth));
}

function assertChanges<T>(
  changes: Changes<T>,
  upserts: Iterable<readonly [string, T]>,
  deletes: readonly string[],
): void {
  assert.deepEqual(sorted(changes.upserts), sorted(upserts));
  assert.deepEqual([...changes.deletes].toSorted(), deletes.toSorted());
}

/** What was read, while `change` ran from the first row on (after the last, where there was none) to its end. */
async function during<R>(change: () => Promise<void>, read: (onRow: () => void) => Promise<R>): Promise<R> {
  // Not awaited before the reading is over: a source with one connection could not do both at a time.
  let changing: Promise<void> | undefined;
  const start = (): void => {
    changing ??= change();
  };
  const result = await read(start);
  start();
  await changing;
  return result;
}
