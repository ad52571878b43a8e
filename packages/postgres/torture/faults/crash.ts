/** A server and all its sessions are killed, and it recovers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';

export const crashOfPrimary: Fault = {
  name: 'primary killed',
  async strike({ cluster, chance }) {
    await cluster.primary.kill();
    await sleep(chance.whole(0, 200));
    await cluster.primary.restart();
  },
};

export const crashOfStandby: Fault = {
  name: 'standby killed',
  async strike({ cluster, chance, history }) {
    history.crashesOfStandby += 1;
    await cluster.standby.kill();
    await sleep(chance.whole(0, 200));
    await cluster.standby.restart();
  },
};
