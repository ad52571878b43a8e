/** The answers of a scripted source: what they are made of, and how they are told. */
import type { Snapshot } from '../src/source.ts';
import type { Behaviour, Lie, ScriptedCall } from './behaviour.ts';

export type Answer<T> =
  | { readonly rows: Iterable<readonly [string, T]>; readonly deletes: Iterable<string>; readonly cursor: unknown }
  | 'resync';

/** A call under way. */
export interface Asked<T> {
  readonly call: ScriptedCall<T>;
  readonly behaviour: Behaviour;
  readonly answered: Promise<Answer<T>>;
}

export function rowsOf<T>(answer: Answer<T>): Iterable<readonly [string, T]> {
  return answer === 'resync' ? [] : answer.rows;
}

/** A lie as an answer: whoever reads it has to find out. */
export function told<T>(lie: Lie, trueCursor: unknown): Answer<T> {
  const { lie: rows, deletes = [], cursor } = { cursor: trueCursor, ...lie };
  return { rows, deletes, cursor } as Answer<T>;
}

/** All at once. */
export function whole<T>(answer: Answer<T>): Snapshot<T> {
  return { entries: rowsOf(answer), cursor: answer === 'resync' ? undefined : answer.cursor };
}

/** Half of the rows, then what is answered of the others. The cursor is there at the end, not before. */
export function inTwoParts<T>({ call, answered }: Asked<T>): Snapshot<T> {
  // Read later, or never if nobody reads that far: a failure is not unhandled until then.
  answered.catch(() => undefined);
  let cursor: unknown;
  async function* entries(): AsyncGenerator<readonly [string, T]> {
    const first = [...call.rows].slice(0, Math.ceil(call.rows.size / 2));
    yield* first;
    const yielded = new Set(first.map(([key]) => key));
    const answer = await answered;
    for (const entry of rowsOf(answer)) if (!yielded.has(entry[0])) yield entry;
    if (answer !== 'resync') cursor = answer.cursor;
  }
  return {
    entries: entries(),
    get cursor() {
      return cursor;
    },
  };
}
