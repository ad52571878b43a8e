/** What the checks of the contract have in common: the source under test, and how it is read. */
import type { FetchContext, Source } from '../src/source.ts';

/** A source over rows that the checks can change. */
export interface SourceHarness<T> {
  readonly source: Source<T>;
  /** Makes the truth hold exactly these rows; a row that is there already, with an equal value, is not touched. */
  setRows(rows: ReadonlyMap<string, T>): Promise<void>;
  /** A value that the source hands out unchanged; different numbers give different values. */
  value(seed: number): T;
}

/** A sentence of the contract, and how it is found out. What the source cannot do is not asked of it. */
export type Clause<T> = readonly [title: string, body: (harness: SourceHarness<T>) => Promise<void>];

export const ODD_KEYS: readonly string[] = [
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

/** Rows with these keys: the first has the value of number `from`, the next that of the number after it. */
export function rowsFor<T>({ value }: SourceHarness<T>, keys: Iterable<string>, from = 0): Map<string, T> {
  return new Map([...keys].map((key, index) => [key, value(from + index)]));
}

export function context(signal: AbortSignal = new AbortController().signal): FetchContext {
  return { signal, reason: 'test' };
}

export async function readAll<T>(
  source: Source<T>,
  given: FetchContext = context(),
): Promise<(readonly [string, T])[]> {
  return (await readSnapshot(source, given)).entries;
}

/** Calls `onEntry` after each entry; reads the cursor at the end, as a cache does. */
export async function readSnapshot<T>(
  source: Source<T>,
  given: FetchContext = context(),
  onEntry: () => void = () => undefined,
): Promise<{ readonly entries: (readonly [string, T])[]; readonly cursor: unknown }> {
  const answer = await source.fetchAll!(given);
  const isBare = Symbol.iterator in answer || Symbol.asyncIterator in answer;
  const entries: (readonly [string, T])[] = [];
  for await (const entry of isBare ? answer : answer.entries) {
    entries.push(entry);
    onEntry();
  }
  return { entries, cursor: isBare ? undefined : answer.cursor };
}

export function sorted<T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] {
  return [...entries].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
