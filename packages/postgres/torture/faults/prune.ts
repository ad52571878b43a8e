/** The log is cut off behind the mirrors, and some of them are further back than that. */
import type { Fault } from './fault.ts';

export const prune: Fault = {
  name: 'log pruned',
  async strike({ cluster, chance, tally }) {
    const retention = chance.pick(['0 seconds', '20 milliseconds', '200 milliseconds', '1 second']);
    const [{ removed } = { removed: '0' }] = await cluster.query<{ removed: string }>(
      `select evercache.prune('${retention}')::text as removed`,
    );
    tally.count('entries of the log that were pruned', Number(removed));
  },
};
