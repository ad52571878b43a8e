import { type SourceHarness, sourceContract } from 'evercache/testing';
import { describe, test } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { scriptFor } from './mirror.ts';
import { CLIENT_KINDS, useClient } from './use-client.ts';

describe.each(CLIENT_KINDS)('a source that scans by xmin over %s keeps the contract', (kind) => {
  const database = useClient(kind, 'create table items (id text primary key, n int);');

  async function makeHarness(): Promise<SourceHarness<number>> {
    return {
      source: postgresSource({
        client: database.client,
        select: 'select id, n from items',
        key: 'id',
        map: (row) => row.n as number,
        follow: { items: 'key' },
        followBy: 'xmin',
      }),
      value: (seed) => seed,
      setRows: (rows) => database.run(scriptFor(rows)),
    };
  }

  for (const { title, run } of sourceContract(makeHarness)) test(title, run);
});
