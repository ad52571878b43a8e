import { join } from 'node:path';
import { describe, test } from 'vitest';
import { onDisk } from '../src/index.ts';
import { sourceContract } from '../testing/index.ts';
import { ALL, harness } from './support/contract-faults.ts';
import { temporaryDirectory } from './support/disk.ts';
import { WITH_SNAPSHOT } from './support/set-up.ts';

describe.each([
  ...WITH_SNAPSHOT,
  { shape: 'fetchAll and fetchChanges', methods: ['fetchAll', 'fetchChanges'] as const },
  { shape: 'everything', methods: ALL },
])('a source with $shape keeps the contract when it is kept on disk', ({ methods }) => {
  const checks = sourceContract(harness((source) => source, methods)).map(({ title }) => title);
  test.each(checks)('%s', async (title) => {
    const path = join(await temporaryDirectory(), 'rows');
    const contract = sourceContract(harness((source) => onDisk(source, { path }), methods));
    await contract.find((check) => check.title === title)!.run();
  });
});
