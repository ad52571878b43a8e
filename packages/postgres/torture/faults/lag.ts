/** A standby falls behind, and catches up. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';

export const lag: Fault = {
  name: 'standby behind',
  async strike({ cluster, chance }) {
    await cluster.query('select pg_wal_replay_pause()', cluster.standbyUrl);
    await sleep(chance.whole(300, 1500));
    await cluster.query('select pg_wal_replay_resume()', cluster.standbyUrl);
  },
};
