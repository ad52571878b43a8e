import { sourceContract } from 'evercache/testing';
import { describe, test } from 'vitest';
import { FOLLOWED_ITEMS, itemsHarness } from './items-harness.ts';
import { useClient } from './use-client.ts';

describe.each(['pg', 'postgres.js'] as const)('a source with push over %s keeps the contract', (kind) => {
  const database = useClient(kind, FOLLOWED_ITEMS);
  for (const { title, run } of sourceContract(itemsHarness(database, { push: 'leader' }))) {
    if (/watch|nudge/.test(title)) test(title, run);
  }
});
