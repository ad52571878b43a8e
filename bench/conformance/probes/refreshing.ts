/** When a whole set is refreshed: the loop, and what can go wrong with it. */

import type { WholeSetCache } from '../contender.ts';
import { settle, time } from '../fake-time.ts';
import {
  attempt,
  DAY,
  HOUR,
  type Lab,
  MINUTE,
  type ProbeGroup,
  REFRESH,
  SECOND,
  stateOf,
  times,
  watch,
} from '../probe.ts';

async function started(lab: Lab): Promise<WholeSetCache> {
  lab.truth.put('a', 'old');
  const cache = lab.openWholeSet();
  await attempt(() => cache.start());
  return cache;
}

const stateInMemory = (cache: WholeSetCache): string => String(stateOf(cache.peek('a')) ?? 'missing');

export const refreshing: ProbeGroup = {
  title: 'The loop that refreshes it',
  probes: [
    {
      id: 'refreshes-share',
      title: 'Refreshes that are asked for at once share their calls',
      expected: '10 refreshes at once: at most 2 calls (one under way, and one for those who came later)',
      why: 'a change that touches 100 rows announces itself 100 times (cacheable#619)',
      async run(lab) {
        const cache = await started(lab);
        const before = lab.truth.count('all');
        lab.truth.mode = 'hold';
        for (let refresh = 0; refresh < 10; refresh += 1) watch(cache.refresh());
        await settle();
        lab.truth.mode = 'answer';
        lab.truth.release();
        await settle();
        const calls = lab.truth.count('all') - before;
        return { pass: calls <= 2, observed: times(calls, 'call') };
      },
    },
    {
      id: 'hanging-refresh',
      title: 'A refresh that hangs does not stop the loop',
      expected: 'one refresh hangs, the source is well again: the new row is in memory 10 minutes later',
      why: 'one lost packet, and the data is frozen for the life of the process (caffeine#175, mixpanel-node#289)',
      async run(lab) {
        const cache = await started(lab);
        lab.truth.mode = 'hang';
        await time.pass(2 * REFRESH);
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await time.pass(10 * MINUTE);
        const seen = stateInMemory(cache);
        return { pass: seen === 'new', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'failed-start',
      title: 'A start without the source is tried again',
      expected:
        'the source is down at the start, and back a minute later: after another two minutes the row is in memory',
      why: 'a server and its database are restarted together (Eppo node-server-sdk#45, growthbook#6517)',
      async run(lab) {
        lab.truth.put('a', 'new');
        lab.truth.mode = 'fail';
        const cache = lab.openWholeSet();
        const start = await attempt(() => cache.start());
        await time.pass(MINUTE);
        lab.truth.mode = 'answer';
        await time.pass(2 * MINUTE);
        const seen = stateInMemory(cache);
        return {
          pass: seen === 'new',
          observed: `the start ends with ${start.state === 'error' ? start : 'no error'}, later in memory: ${seen}`,
        };
      },
    },
    {
      id: 'jitter',
      title: 'Refreshes do not keep step',
      expected: '20 refreshes: their distances differ by at least 1 % of the interval',
      why: 'a fleet that was started together asks together, for ever (caffeine#504, #509, pinot#2730, sturdyc#14)',
      async run(lab) {
        await started(lab);
        await time.pass(20 * REFRESH);
        const distances = lab.truth.calls.slice(1).map(({ at }, index) => at - lab.truth.calls[index]!.at);
        const spread = Math.max(...distances) - Math.min(...distances);
        return {
          pass: spread >= REFRESH / 100,
          observed: `from ${Math.min(...distances)} to ${Math.max(...distances)} ms`,
        };
      },
    },
    {
      id: 'backoff',
      title: 'In an outage the source is asked less often, not more',
      expected:
        'the source fails for 10 minutes: at most 60 calls, and after the first minute at most 6 in any minute on average',
      why: 'hammering what tries to come up (caffeine#286, #498)',
      async run(lab) {
        await started(lab);
        lab.truth.mode = 'fail';
        const begin = time.now();
        await time.pass(10 * MINUTE);
        const calls = lab.truth.calls.filter(({ at }) => at > begin);
        const later = calls.filter(({ at }) => at > begin + MINUTE).length;
        return {
          pass: calls.length <= 60 && later <= 54,
          observed: `${times(calls.length, 'call')}, ${later} of them after the first minute`,
        };
      },
    },
    {
      id: 'recovery-of-the-set',
      title: 'When the source is back, the set is true within two minutes',
      expected:
        'after an hour of failure the source answers: two minutes later, without a read, the new row is in memory',
      why: 'the next try an hour later, or never (caffeine#498, #1807)',
      async run(lab) {
        const cache = await started(lab);
        lab.truth.mode = 'fail';
        await time.pass(HOUR);
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await time.pass(2 * MINUTE);
        const seen = stateInMemory(cache);
        return { pass: seen === 'new', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'long-interval',
      title: 'An interval of 30 days is 30 days',
      expected: '10 seconds after the start, the source has been asked once',
      why: 'a timer of Node that is longer than 24.8 days fires at once, again and again: a loop of requests (growthbook#6517)',
      async run(lab) {
        lab.truth.put('a', 'old');
        const cache = lab.openWholeSet({ refreshMs: 30 * DAY });
        await attempt(() => cache.start());
        await time.pass(10 * SECOND);
        const calls = lab.truth.count('all');
        return { pass: calls === 1, observed: times(calls, 'call') };
      },
    },
    {
      id: 'close-during-refresh',
      title: 'A close during a refresh is final',
      expected:
        'a refresh is under way, the cache is closed, the answer comes: nothing is in memory, and no more calls are made',
      why: 'shut-down, tests',
      async run(lab) {
        const cache = await started(lab);
        lab.truth.mode = 'hold';
        watch(cache.refresh());
        await settle();
        await attempt(() => cache.close());
        lab.truth.mode = 'answer';
        const before = lab.truth.count();
        lab.truth.release();
        await time.pass(10 * REFRESH);
        const seen = stateInMemory(cache);
        const calls = lab.truth.count() - before;
        return {
          pass: seen === 'missing' && calls === 0,
          observed: `in memory: ${seen}; ${times(calls, 'call')} more`,
        };
      },
    },
  ],
};
