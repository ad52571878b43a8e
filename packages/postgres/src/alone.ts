/** One piece of work over a connection of its own, outside of any transaction. */
import type { Database, Lease } from './database.ts';

export async function alone<Result>(
  database: Database,
  signal: AbortSignal,
  work: (lease: Lease) => Promise<Result>,
): Promise<Result> {
  const lease = await database.lease({ signal, snapshot: false });
  try {
    return await work(lease);
  } finally {
    void lease.end();
  }
}
