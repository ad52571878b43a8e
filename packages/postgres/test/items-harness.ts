/** A source of the table `items (id text, n int)`, for the contract suites. */
import type { SourceHarness } from 'evercache/testing';
import { type FollowOptions, postgresSource } from '../src/index.ts';
import { CHANGE_LOG, scriptFor } from './mirror.ts';
import type { TestClient } from './use-client.ts';

export const ITEMS = 'create table items (id text primary key, n int);';
export const FOLLOWED_ITEMS = `${CHANGE_LOG}; ${ITEMS} select evercache.follow('items');`;

/** `options`: how the table is followed beyond that it is. */
export function itemsHarness(
  database: TestClient,
  options: Omit<FollowOptions, 'follow'> = {},
): () => Promise<SourceHarness<number>> {
  return async () => ({
    source: postgresSource({
      client: database.client,
      select: 'select id, n from items',
      key: 'id',
      map: (row) => row.n as number,
      follow: { items: 'key' },
      ...options,
    }),
    value: (seed) => seed,
    setRows: (rows) => database.run(scriptFor(rows)),
  });
}
