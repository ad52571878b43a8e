import { sourceContract } from 'evercache/testing';
import { describe, test } from 'vitest';
import { FOLLOWED_ITEMS, itemsHarness } from './items-harness.ts';
import { CLIENT_KINDS, useClient } from './use-client.ts';

describe.each(CLIENT_KINDS)('a source that follows the change log over %s keeps the contract', (kind) => {
  const database = useClient(kind, FOLLOWED_ITEMS);
  for (const { title, run } of sourceContract(itemsHarness(database))) test(title, run);
});
