import { sourceContract } from 'evercache/testing';
import { describe, test } from 'vitest';
import { ITEMS, itemsHarness } from './items-harness.ts';
import { CLIENT_KINDS, useClient } from './use-client.ts';

describe.each(CLIENT_KINDS)('a source that scans by xmin over %s keeps the contract', (kind) => {
  const database = useClient(kind, ITEMS);
  for (const { title, run } of sourceContract(itemsHarness(database, { followBy: 'xmin' }))) test(title, run);
});
