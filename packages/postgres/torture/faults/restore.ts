/** A backup takes the place of the primary: what was committed since it was made has never been. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PrivatePostgres } from '../../../../test/support/private-postgres.ts';
import type { Fault, World } from './fault.ts';
import { newHistory } from './new-history.ts';

/** Its transaction ids go on where they were, and its history is another. */
export const restore: Fault = {
  name: 'backup restored',
  strike: (world) => goBack(world, () => world.cluster.backUp()),
};

/** Its transaction ids begin anew, and the log that came along knows ids which have yet to come. */
export const restoreOfDump: Fault = {
  name: 'dump restored',
  strike: (world) => goBack(world, () => world.cluster.dump()),
};

async function goBack(world: World, backUp: () => Promise<PrivatePostgres>): Promise<void> {
  const { chance, tally } = world;
  const backup = await backUp();
  await sleep(chance.whole(100, 1000));
  const lost = await newHistory(world, async () => backup);
  tally.count('commits that were lost', lost);
}
