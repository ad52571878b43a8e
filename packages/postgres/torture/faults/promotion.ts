/** The primary is lost and a standby takes over: with all that was committed, or without the end of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { newHistory } from './new-history.ts';

export const promotion: Fault = {
  name: 'promotion',
  async strike(world) {
    const { cluster, gate } = world;
    gate.close();
    await cluster.caughtUp();
    await newHistory(world, () => cluster.promote());
  },
};

export const lossyPromotion: Fault = {
  name: 'promotion that lost commits',
  async strike(world) {
    const { cluster, chance, tally } = world;
    // The primary and its mirrors go on for a while without it.
    await cluster.standby.kill();
    await sleep(chance.whole(200, 800));
    const lost = await newHistory(world, () => cluster.promote());
    tally.count('commits that were lost', lost);
  },
};
