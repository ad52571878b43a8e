/**
 * A process that does nothing but save, to be killed: `disk-writer.ts <path>`. Every row of a generation has the number
 * of that generation, so a mixture would show. Says `saving` when the first one has been published, and the number of
 * the last generation each time that the key `k` has been invalidated.
 */
import { onDisk, TTLCacheService } from '../../src/index.ts';

const ROWS = 200;
const pad = 'x'.repeat(500);
let generation = 0;

const row = (): object => ({ n: generation, pad });
const rows = (): Map<string, object> => new Map(['k', ...Array(ROWS).keys()].map((key) => [String(key), row()]));

const cache = new TTLCacheService<object>({
  name: 'written',
  source: onDisk(
    {
      fetchAll: async () => {
        generation += 1;
        return { entries: rows(), cursor: generation };
      },
      fetchMany: async (keys) => new Map(keys.map((key) => [key, row()])),
      fetchChanges: async () => {
        generation += 1;
        return { upserts: rows(), deletes: [], cursor: generation };
      },
    },
    { path: process.argv[2]! },
  ),
});
await cache.start();
process.stdout.write('saving\n');
for (let round = 1; ; round += 1) {
  await cache.refresh({ full: round % 7 === 0 });
  // Saving is done behind the cache's back, and has to keep up with it.
  await new Promise((resolve) => setTimeout(resolve, 8));
  if (round % 5 === 0) {
    const before = generation;
    await cache.invalidate('k');
    process.stdout.write(`${before}\n`);
  }
}
