/** The pooler is killed with all sessions that go through it, and comes again. */
import type { Fault } from './fault.ts';

export const crashOfPooler: Fault = {
  name: 'pooler killed',
  async strike({ cluster }) {
    await cluster.pooler?.restart();
  },
};
