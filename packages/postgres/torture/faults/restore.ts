/** A backup takes the place of the primary: what was committed since it was made has never been. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { newHistory } from './new-history.ts';

export const restore: Fault = {
  name: 'backup restored',
  async strike(world) {
    const { cluster, chance, tally } = world;
    const backup = await cluster.backUp();
    await sleep(chance.whole(100, 1000));
    const lost = await newHistory(world, () => cluster.restore(backup));
    tally.count('commits that were lost', lost);
  },
};
