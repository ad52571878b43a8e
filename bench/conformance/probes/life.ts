/** What it does to the process around it. */
import type { Cache } from '../contender.ts';
import { time } from '../fake-time.ts';
import { attempt, type Lab, type ProbeGroup, SECOND, times } from '../probe.ts';
import { endsByItself } from './ends-by-itself.ts';

export const life: ProbeGroup = {
  title: 'Life and end',
  probes: [
    {
      id: 'process-ends',
      title: 'It does not keep a process alive',
      expected:
        'a process starts it (refreshing a whole set where it can), reads a row and has nothing more to do: the process ends within 10 seconds (real ones)',
      why: 'scripts and tests that never end',
      async run(lab) {
        const ends = await endsByItself(lab.contender.name);
        return { pass: ends, observed: ends ? 'the process ends' : 'the process does not end' };
      },
    },
    {
      id: 'close-leaves-nothing',
      title: 'When it is closed, nothing runs on',
      expected: '2 seconds after the close no more timers wait than before it was opened',
      why: 'tests that never end, hot reload',
      async run(lab) {
        await time.pass(2 * SECOND);
        const before = time.pending;
        lab.truth.put('a', 'old');
        const cache = await openFully(lab);
        await attempt(() => cache.read('a'));
        await attempt(() => cache.close());
        await time.pass(2 * SECOND);
        const left = time.pending - before;
        return { pass: left <= 0, observed: `${times(Math.max(0, left), 'timer')} left` };
      },
    },
  ],
};

/** Refreshing a whole set, where it can. */
async function openFully(lab: Lab): Promise<Cache> {
  if (lab.contender.openWholeSet === undefined) return lab.open();
  const cache = lab.openWholeSet();
  await attempt(() => cache.start());
  return cache;
}
