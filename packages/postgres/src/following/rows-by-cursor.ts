/** Many keys, and many rows of known keys, by cursor, in the transaction of a lease. */
import { fetchBatches } from '../cursor-batches.ts';
import type { Lease, Statement } from '../database.ts';
import { rowReader, rowsOfKeys } from '../rows.ts';
import { cursorFor } from '../statements.ts';
import type { Reader } from './reader.ts';

/** The first column of what a statement gives. */
export async function keysByCursor(lease: Lease, statement: Statement): Promise<Set<string>> {
  const keys = new Set<string>();
  await lease.run(cursorFor(statement));
  for await (const batch of fetchBatches(lease)) for (const [key] of batch) keys.add(key!);
  return keys;
}

/** The entries of those of these keys that are the reader's. */
export async function* rowsByCursor(
  { options, tag, rowsOf }: Reader,
  lease: Lease,
  keys: ReadonlySet<string>,
): AsyncGenerator<readonly [string, unknown]> {
  const own = new Set([...keys].filter((key) => key.startsWith(tag)));
  const statement = rowsOf([...own].map((key) => key.slice(tag.length)));
  if (statement === undefined) return;
  const rows = rowReader(options);
  await lease.run(cursorFor(statement));
  for await (const batch of fetchBatches(lease)) yield* rows.take(rowsOfKeys(batch, own));
  yield* rows.finish();
}
