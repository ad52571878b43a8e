/** How much heap one contender takes for a million entries whose keys and values are there already. Prints the bytes. */
import { type ContenderName, contenderOf, type Entries } from '../contenders.ts';

const [name, count] = process.argv.slice(2) as [ContenderName, string];
const entries: Entries = Array.from({ length: Number(count) }, (_, index) => [`item:${index}`, { id: index }]);

const before = await heap();
const cache = await contenderOf(name).open(entries);
const bytes = (await heap()) - before;
if (entries.length === 0 || cache === undefined) throw new Error('expected a cache and its entries to be there still');
console.log(JSON.stringify({ bytes }));
process.exit(0); // some of them keep timers

async function heap(): Promise<number> {
  // What a turn has left behind, too; and what only a second collection finds. A third one finds nothing.
  for (let round = 0; round < 2; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}
