/** What a clock does to ages. */
import { settle, time } from '../fake-time.ts';
import {
  attempt,
  DAY,
  HOUR,
  type Lab,
  NotApplicable,
  type Outcome,
  type ProbeGroup,
  SECOND,
  TTL,
  times,
  watch,
} from '../probe.ts';
import type { Mode } from '../truth.ts';

/** Where expired values are served in any case, a clock that hides their age changes nothing. */
async function assertHeedsTtl(lab: Lab): Promise<void> {
  const { again } = await readAround(lab, () => time.pass(2 * TTL + SECOND));
  if (!again.is('new')) throw new NotApplicable('serves expired values in any case');
}

/** Loads the old row, lets something happen while the row changes, reads again. */
async function readAround(
  lab: Lab,
  happen: () => unknown,
): Promise<{ readonly again: Outcome; readonly calls: number }> {
  const cache = lab.open();
  lab.truth.put('a', 'old');
  await attempt(() => cache.read('a'));
  const before = lab.truth.count();
  lab.truth.put('a', 'new');
  await happen();
  return { again: await attempt(() => cache.read('a')), calls: lab.truth.count() - before };
}

export const clocks: ProbeGroup = {
  title: 'Clocks',
  probes: [
    {
      id: 'wall-clock-back',
      title: 'The wall clock is set back an hour: what expires, expires all the same',
      expected: 'the clock is set back after the load, twice the ttl passes: a read gets the new row',
      why: 'NTP, a restored machine: entries live an hour too long (node-lru-cache#157)',
      async run(lab) {
        await assertHeedsTtl(lab);
        const { again } = await readAround(lab, () => {
          time.setWall(-HOUR);
          return time.pass(2 * TTL + SECOND);
        });
        return { pass: again.is('new'), observed: `the read gets ${again}` };
      },
    },
    {
      id: 'wall-clock-forward',
      title: 'The wall clock is set forward an hour: nothing expires for it',
      expected: 'the clock is set forward after the load, 2 seconds pass: a read asks the source for nothing',
      why: 'everything expires at once, and everybody asks the database',
      async run(lab) {
        const { calls } = await readAround(lab, () => {
          time.setWall(HOUR);
          return time.pass(2 * SECOND);
        });
        return { pass: calls === 0, observed: times(calls, 'call') };
      },
    },
    {
      id: 'suspended-machine',
      title: 'A machine that slept for an hour does not serve what expired meanwhile',
      expected: 'the machine is suspended after the load, 2 seconds pass after it woke: a read gets the new row',
      why: 'laptops, paused virtual machines: the monotonic clock of Linux does not count that time',
      async run(lab) {
        await assertHeedsTtl(lab);
        const { again } = await readAround(lab, () => {
          time.suspend(HOUR);
          return time.pass(2 * SECOND);
        });
        return { pass: again.is('new'), observed: `the read gets ${again}` };
      },
    },
    {
      id: 'long-ttl',
      title: 'A ttl of 60 days is 60 days',
      expected:
        'held without a call after 30 days, asked for again after 121; fewer than 100 timers fire in the first second',
      why: 'a timer of Node that is longer than 24.8 days fires at once, again and again (ttlcache#41, bentocache#61, growthbook#6517)',
      async run(lab) {
        await assertHeedsTtl(lab);
        const cache = lab.open({ ttlMs: 60 * DAY });
        lab.truth.put('a', 'old');
        const firedBefore = time.fired;
        await attempt(() => cache.read('a'));
        await time.pass(SECOND);
        const fired = time.fired - firedBefore;
        await time.pass(30 * DAY, HOUR);
        const before = lab.truth.count();
        await attempt(() => cache.read('a'));
        const calls = lab.truth.count() - before;
        lab.truth.put('a', 'new');
        await time.pass(91 * DAY, HOUR);
        const late = await attempt(() => cache.read('a'));
        return {
          pass: calls === 0 && late.is('new') && fired < 100,
          observed: `${times(fired, 'timer')} in the first second; after 30 days ${times(calls, 'call')}; after 121 days ${late}`,
        };
      },
    },
    {
      id: 'age-from-the-request',
      title: 'The age of a value counts from when it was asked for, not from when it came',
      expected: 'an answer takes 6 s, the ttl is 10 s: 6 s after it came, a read gets the new row',
      why: 'what was read 12 s ago is 12 s old, however long it took to arrive',
      async run(lab) {
        const readAt12 = async (answer: Mode): Promise<Outcome> => {
          const cache = lab.open({ ttlMs: 10 * SECOND });
          lab.truth.put('a', 'old');
          lab.truth.mode = answer;
          watch(cache.read('a'));
          await settle();
          lab.truth.put('a', 'new');
          lab.truth.mode = 'answer';
          await time.pass(12 * SECOND);
          return attempt(() => cache.read('a'));
        };
        const atOnce = await readAt12('answer');
        if (!atOnce.is('new')) throw new NotApplicable('serves a value of 12 s in any case');
        const read = await readAt12({ slowMs: 6 * SECOND });
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
  ],
};
