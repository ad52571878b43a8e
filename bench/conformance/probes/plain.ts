/** As it comes: with a source and a ttl, and nothing else that somebody would have to know of. */
import { time } from '../fake-time.ts';
import { attempt, MINUTE, type ProbeGroup, SECOND, TTL } from '../probe.ts';
import { countHeld } from './count-held.ts';

export const plain: ProbeGroup = {
  title: 'As it comes, with nothing said but a ttl',
  probes: [
    {
      id: 'plain-miss-in-an-outage-is-an-error',
      title: 'A key that is not held is an error while the source fails',
      expected: 'nothing is held, the source fails: a read throws',
      why: 'a default decides for everybody who did not know that there is something to decide (cacheable#1554)',
      async run(lab) {
        const cache = lab.openPlain();
        lab.truth.mode = 'fail';
        const read = await attempt(() => cache.read('a'));
        return { pass: read.state === 'error', observed: `the read gets ${read}` };
      },
    },
    {
      id: 'plain-stale-if-error',
      title: 'An expired value is served while the source fails',
      expected: 'a value has expired 10 seconds ago, the source fails: a read gets that value',
      why: 'the first outage comes before somebody has read about the option',
      async run(lab) {
        const cache = lab.openPlain();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await time.pass(TTL + 10 * SECOND);
        lab.truth.mode = 'fail';
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('old'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'plain-hang-ends',
      title: 'A read of a source that hangs ends',
      expected: 'the source never answers: a read ends within a minute, with whatever',
      why: 'as above',
      async run(lab) {
        const cache = lab.openPlain();
        lab.truth.mode = 'hang';
        const read = await attempt(() => cache.read('a'), 2 * MINUTE);
        const ended = read.state !== 'pending';
        return {
          pass: read.tookMs <= MINUTE,
          observed: ended ? `${read} after ${read.tookMs} ms` : `${read} in two minutes`,
        };
      },
    },
    {
      id: 'plain-is-bounded',
      title: 'The number of entries is bounded',
      expected: '20,000 different rows are read: at most 15,000 are held',
      why: 'a cache without a bound is a leak',
      async run(lab) {
        const cache = lab.openPlain();
        const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}`);
        for (const key of keys) lab.truth.put(key, 'old');
        for (const key of keys) await attempt(() => cache.read(key));
        const held = await countHeld(lab, cache, keys);
        return { pass: held <= 15_000, observed: held <= 15_000 ? 'bounded' : `${held} are held` };
      },
    },
  ],
};
