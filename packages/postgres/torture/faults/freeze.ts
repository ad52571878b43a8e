/** A server stops in the middle of everything, connections stay open, and after a while it goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';

export const freeze: Fault = {
  name: 'server frozen',
  async strike({ cluster, chance }) {
    const server = chance.oneIn(3) ? cluster.standby : cluster.primary;
    server.freeze();
    await sleep(chance.whole(50, 800));
    server.thaw();
  },
};
