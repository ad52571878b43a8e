import { type SourceHarness, sourceContract } from 'evercache/testing';
import { describe, test } from 'vitest';
import { postgresSource } from '../src/index.ts';
import { CHANGE_LOG } from './mirror.ts';
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

/** Makes the table hold these rows, and touches no other. */
function scriptFor(rows: ReadonlyMap<string, number>): string {
  const wanted = `jsonb_to_recordset('${JSON.stringify([...rows].map(([id, n]) => ({ id, n }))).replaceAll("'", "''")}')
    as wanted(id text, n int)`;
  return `delete from items where id not in (select id from ${wanted});
    insert into items select id, n from ${wanted}
      on conflict (id) do update set n = excluded.n where items.n <> excluded.n`;
}
