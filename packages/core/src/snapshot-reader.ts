/**
 * Reads a snapshot to its end, checks each row and compares it with what is held: in slices, aside, so that readers
 * see nothing of it before it is whole.
 */
import { typeName } from './describe.ts';
import { CacheError } from './errors.ts';
import { said } from './said.ts';
import type { Cursor, Snapshot } from './source.ts';
import { isAge, isIterable, type Reading, Staging } from './staging.ts';

/** A snapshot that was read to its end. */
export interface StagedSnapshot<T> {
  readonly entries: Map<string, T>;
  readonly quarantined: ReadonlyMap<string, string>;
  readonly added: readonly string[];
  readonly updated: readonly string[];
  /** Visible, and not in the snapshot. */
  readonly missing: readonly string[];
  readonly unchanged: number;
  readonly ageMs: number;
  readonly cursor: Cursor;
  /** Tells the source that this is what readers see. */
  readonly published: () => void;
}

export async function readSnapshot<T>(answer: unknown, reading: Reading<T>): Promise<StagedSnapshot<T>> {
  const snapshot = toSnapshot(answer, reading.invalid);
  const staging = new Staging<T>(reading);
  const revision = reading.revision();
  try {
    await staging.addAll(snapshot.entries);
  } catch (cause) {
    // Nothing read yet: the request failed. Later: what was read is torn, and worth nothing.
    if (staging.entries.size + staging.quarantined.size === 0 || CacheError.isInstance(cause)) throw cause;
    throw reading.invalid(`the snapshot broke off half-way: ${said(cause)}`, { cause });
  }
  // A source that streams may know these only when it has come to the end.
  const { ageMs = 0, cursor } = snapshot;
  if (!isAge(ageMs))
    throw reading.invalid(`expected ageMs to be a finite number of milliseconds >= 0, got ${typeName(ageMs)}`);
  const { entries, quarantined, added, updated, unchanged } = staging;
  const missing = await findMissing(staging, reading, reading.revision() !== revision);
  const published = (): void => snapshot.published?.();
  return { entries, quarantined, added, updated, missing, unchanged, ageMs, cursor, published };
}

/** `moved`: other answers came and went while this was being read, so that counting says nothing. */
async function findMissing<T>(staging: Staging<T>, { held }: Reading<T>, moved: boolean): Promise<string[]> {
  const missing: string[] = [];
  // The walk costs as much as all keys, so it is made only if something is missing.
  if (!moved && held().size === staging.unchanged + staging.updated.length) return missing;
  for (const key of held().keys()) {
    if (!staging.has(key)) missing.push(key);
    const pause = staging.pause();
    if (pause !== undefined) await pause;
  }
  return missing;
}

function toSnapshot(answer: unknown, invalid: Reading<unknown>['invalid']): Snapshot<unknown> {
  if (isIterable(answer)) return { entries: answer };
  if (typeof answer === 'object' && answer !== null && 'entries' in answer && isIterable(answer.entries)) {
    return answer as Snapshot<unknown>;
  }
  throw invalid(
    `expected fetchAll to answer an iterable of [key, value] or { entries, cursor?, ageMs? }, got ${typeName(answer)}`,
  );
}
