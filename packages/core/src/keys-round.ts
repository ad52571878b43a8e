/** A round that reads some keys again. */
import { both, type Changes, isChange, NO_CHANGES } from './changes.ts';
import type { CacheError } from './errors.ts';
import type { KeyAnswer } from './key-reader.ts';
import { inWaves, SINGLE_CALLS_AT_A_TIME } from './limited.ts';
import { announce, type RoundParts, type RoundRequest } from './round.ts';
import { Slice } from './slice.ts';

const KEYS_PER_CALL = 1_000;
/** Ages renewed before others get their turn: some milliseconds. */
const CONFIRMED_AT_A_TIME = 500;

export async function readKeys<T>(
  parts: RoundParts<T>,
  keys: readonly string[],
  { reason, awaited, insist, dryRun }: RoundRequest,
): Promise<Changes> {
  const { calls, fence, reader } = parts;
  const answers: KeyAnswer<T>[] = [];
  // All answers are stored in one step at the end; this ticket keeps the fence's marks until then.
  const guard = fence.open();
  try {
    const batches = reader.canReadMany ? chunks(keys, KEYS_PER_CALL) : keys.map((key) => [key]);
    const failures = (await inWaves(batches, reader.canReadMany ? 1 : SINGLE_CALLS_AT_A_TIME, (batch) =>
      reader.read(batch, { reason, awaited, insist: insist && batch === batches[0] }, (found) => {
        answers.push(...found);
      }),
    )) as CacheError[];
    const [first] = failures;
    // Said by the failure, since the cache may have been started again.
    const stopped = failures.find(({ code }) => code === 'stopped');
    if (stopped !== undefined) throw stopped;
    // An outage half-way has changed nothing. But one key that always fails, while the source answers for others,
    // keeps none of them from being confirmed: it ages alone.
    if (first !== undefined && (answers.length === 0 || calls.areRefused)) throw first;
    return { ...(dryRun ? compareAll(parts, answers) : await storeAll(parts, answers)), error: first };
  } finally {
    fence.close(guard);
  }
}

/**
 * What differs goes live in one step. That all the others are as readers see them is nothing to be seen half of: their
 * ages are renewed in slices. What becomes of a key meanwhile is the fence's business, as for any answer; what it still
 * admits, and readers do not see any more, differs.
 */
async function storeAll<T>(parts: RoundParts<T>, answers: readonly KeyAnswer<T>[]): Promise<Changes> {
  const { store, reader } = parts;
  const isShown = ({ key, row }: KeyAnswer<T>): boolean =>
    row !== undefined && row.problem === undefined && store.live.get(key) === row.value;
  const slice = new Slice();
  const shown: KeyAnswer<T>[] = [];
  const others: KeyAnswer<T>[] = [];
  for (const answer of answers) {
    (isShown(answer) ? shown : others).push(answer);
    if (slice.isOver()) await slice.next();
  }
  let changes = storeAtOnce(parts, others);
  for (const [index, chunk] of chunks(shown, CONFIRMED_AT_A_TIME).entries()) {
    if (index > 0) await slice.next();
    const still = chunk.filter(isShown);
    const meanwhile = chunk.filter((answer) => !isShown(answer));
    reader.store(still);
    changes = { ...changes, unchanged: changes.unchanged + still.length };
    if (meanwhile.length > 0) changes = both(changes, storeAtOnce(parts, meanwhile));
  }
  return changes;
}

function storeAtOnce<T>(parts: RoundParts<T>, answers: readonly KeyAnswer<T>[]): Changes {
  const { store, reader } = parts;
  const before = answers.map(({ key }) => store.live.get(key));
  let changes = NO_CHANGES;
  reader.store(answers, (outcomes) => {
    const after = answers.map(({ key }) => store.live.get(key));
    const quarantined = outcomes.map(({ error }) => error !== undefined);
    changes = difference(answers, { before, after, quarantined });
    if (isChange(changes)) store.generation += 1;
  });
  announce(parts, changes);
  return changes;
}

function compareAll<T>({ store, fence }: RoundParts<T>, answers: readonly KeyAnswer<T>[]): Changes {
  const before = answers.map(({ key }) => store.live.get(key));
  const after = answers.map(({ key, sent, row }, index) => {
    if (row?.problem !== undefined || !fence.admits(key, sent.ticket)) return before[index];
    return row?.value;
  });
  const quarantined = answers.map(({ row }) => row?.problem !== undefined);
  return difference(answers, { before, after, quarantined });
}

interface Difference<T> {
  readonly before: readonly (T | undefined)[];
  readonly after: readonly (T | undefined)[];
  readonly quarantined: readonly boolean[];
}

/** All aligned with the answers. */
function difference<T>(answers: readonly KeyAnswer<T>[], { before, after, quarantined }: Difference<T>): Changes {
  const changes = {
    added: [] as string[],
    updated: [] as string[],
    removed: [] as string[],
    held: 0,
    unchanged: 0,
    quarantined: 0,
  };
  for (const [index, { key }] of answers.entries()) {
    if (quarantined[index]) changes.quarantined += 1;
    else if (before[index] === after[index]) changes.unchanged += after[index] === undefined ? 0 : 1;
    else if (before[index] === undefined) changes.added.push(key);
    else if (after[index] === undefined) changes.removed.push(key);
    else changes.updated.push(key);
  }
  return changes;
}

function chunks<I>(items: readonly I[], size: number): (readonly I[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
