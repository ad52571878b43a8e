/** Reads the open cursor of a transaction to its end, with a turn of the event loop after each batch. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Lease } from './database.ts';
import type { RawRow } from './rows.ts';
import { BATCH_SIZE, CLOSE_CURSOR, FETCH_BATCH } from './statements.ts';

export async function* fetchBatches(lease: Lease): AsyncGenerator<readonly RawRow[]> {
  for (let last = false; !last; ) {
    const { rows } = await lease.run(FETCH_BATCH);
    last = rows.length < BATCH_SIZE;
    yield rows;
    await nextTurn();
  }
  await lease.run(CLOSE_CURSOR);
}
