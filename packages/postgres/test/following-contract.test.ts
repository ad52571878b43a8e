import { type SourceHarness, sourceContract } from 'evercache/testing';
import { describe, test } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { CHANGE_LOG, scriptFor } from './mirror.ts';
import { CLIENT_KINDS, useClient } from './use-client.ts';

describe.each(CLIENT_KINDS)('a source that follows the change log over %s keeps the contract', (kind) => {
  const database = useClient(
    kind,
    `${CHANGE_LOG}; create table items (id text primary key, n int); select evercache.follow('items');`,
  );

  async function makeHarness(): Promise<SourceHarness<number>> {
    return {
      source: postgresSource({
        client: database.client,
        select: 'select id, n from items',
        key: 'id',
        map: (row) => row.n as number,
        follow: { items: 'key' },
      }),
      value: (seed) => seed,
      setRows: (rows) => database.run(scriptFor(rows)),
    };
  }

  for (const { title, run } of sourceContract(makeHarness)) test(title, run);
});
