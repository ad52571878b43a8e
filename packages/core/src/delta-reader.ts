/** Reads what has changed to its end, aside, so that readers see nothing of it before it is whole. */
import { typeName } from './describe.ts';
import type { Cursor, Delta } from './source.ts';
import { isAge, isIterable, type Reading, Staging } from './staging.ts';

/** A delta that was read to its end. */
export interface StagedDelta<T> {
  readonly upserts: ReadonlyMap<string, T>;
  readonly deletes: readonly string[];
  readonly quarantined: ReadonlyMap<string, string>;
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: number;
  readonly ageMs: number;
  readonly cursor: Cursor;
  /** Tells the source that this is what readers see. */
  readonly published: () => void;
}

export async function readDelta<T>(answer: unknown, reading: Reading<T>): Promise<StagedDelta<T> | 'resync'> {
  if (answer === 'resync') return answer;
  const delta = toDelta(answer, reading.invalid);
  const staging = new Staging<T>(reading);
  await staging.addAll(delta.upserts);
  const deletes = new Set<string>();
  for (const key of delta.deletes as Iterable<unknown>) {
    if (typeof key !== 'string') throw reading.invalid(`expected every key to be a string, got ${typeName(key)}`);
    if (staging.has(key))
      throw reading.invalid('expected a key to be upserted or deleted, got one that is both', { key });
    deletes.add(key);
    const pause = staging.pause();
    if (pause !== undefined) await pause;
  }
  // A source that streams may know these only when it has come to the end.
  const { ageMs = 0, cursor } = delta;
  if (!isAge(ageMs))
    throw reading.invalid(`expected ageMs to be a finite number of milliseconds >= 0, got ${typeName(ageMs)}`);
  if (cursor === undefined) throw reading.invalid('expected a delta to say where the next one goes on, got no cursor');
  const { entries: upserts, quarantined, added, updated, unchanged } = staging;
  const published = (): void => delta.published?.();
  return { upserts, deletes: [...deletes], quarantined, added, updated, unchanged, ageMs, cursor, published };
}

function toDelta(answer: unknown, invalid: Reading<unknown>['invalid']): Delta<unknown> {
  if (typeof answer === 'object' && answer !== null && 'upserts' in answer && 'deletes' in answer) {
    const { upserts, deletes } = answer;
    if (isIterable(upserts) && isIterable(deletes) && Symbol.iterator in deletes) return answer as Delta<unknown>;
  }
  throw invalid(`expected fetchChanges to answer { upserts, deletes, cursor } or 'resync', got ${typeName(answer)}`);
}
