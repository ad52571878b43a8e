/** The source fails: what readers get, and how often it is asked. */
import { settle, time } from '../fake-time.ts';
import { attempt, DAY, MINUTE, type Outcome, type ProbeGroup, SECOND, TTL, times, watch } from '../probe.ts';

export const outages: ProbeGroup = {
  title: 'When the source fails',
  probes: [
    {
      id: 'stale-if-error',
      title: 'An expired value is served while the source fails',
      expected: 'a value has expired 10 seconds ago, the source fails: a read gets that value',
      why: 'most would rather serve what was true a minute ago than an error page (node-lru-cache#263, async-cache-dedupe#13)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await time.pass(TTL + 10 * SECOND);
        lab.truth.mode = 'fail';
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('old'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'stale-is-bounded',
      title: 'An expired value is not served for ever',
      expected: 'the source has failed for 10 years: a read does not get the value from before',
      why: 'nobody means ten years with "stale if error"',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        lab.truth.mode = 'fail';
        await time.pass(3_650 * DAY, 10 * DAY);
        const read = await attempt(() => cache.read('a'));
        return { pass: !read.is('old'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'deleted-is-not-stale',
      title: 'A deleted value is not served while the source fails',
      expected: 'the key was deleted before the source failed: a read does not get the value from before',
      why: 'what was taken away by hand must not come back because something fails (FusionCache#648)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await attempt(() => cache.forget('a'));
        lab.truth.mode = 'fail';
        const read = await attempt(() => cache.read('a'));
        return { pass: !read.is('old'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'miss-in-an-outage-is-an-error',
      title: 'A key that is not held is an error while the source fails, not `undefined`',
      expected: 'nothing is held, the source fails: a read throws',
      why: '`undefined` says "there is no such row": access is refused, a default is taken, and nobody is told (cacheable#1554)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.mode = 'fail';
        const read = await attempt(() => cache.read('a'));
        return { pass: read.state === 'error', observed: `the read gets ${read}` };
      },
    },
    {
      id: 'failure-is-not-remembered',
      title: 'One failure is not remembered',
      expected: 'a read fails, the source is back at once: the next read gets the value',
      why: 'errors that were cached (cacheable#896)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        lab.truth.mode = 'fail';
        await attempt(() => cache.read('a'));
        lab.truth.mode = 'answer';
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('old'), observed: `the next read gets ${read}` };
      },
    },
    {
      id: 'outage-calls-one-key',
      title: 'A failing source is not asked at every read of an expired key',
      expected: '10 reads, one after the other, while the source fails: at most 5 calls',
      why: 'what comes up again must not be trampled down (caffeine#286)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await time.pass(TTL + SECOND);
        lab.truth.mode = 'fail';
        const before = lab.truth.count();
        for (let read = 0; read < 10; read += 1) await attempt(() => cache.read('a'));
        const calls = lab.truth.count() - before;
        return { pass: calls <= 5, observed: times(calls, 'call') };
      },
    },
    {
      id: 'outage-calls-many-keys',
      title: 'A failing source is not asked at every read of yet another key',
      expected: '10 reads of 10 keys that are not held, while the source fails: at most 5 calls',
      why: 'it is the source that is down, not a key',
      async run(lab) {
        const cache = lab.open();
        lab.truth.mode = 'fail';
        for (let key = 0; key < 10; key += 1) await attempt(() => cache.read(`k${key}`));
        const calls = lab.truth.count();
        return { pass: calls <= 5, observed: times(calls, 'call') };
      },
    },
    {
      id: 'recovery',
      title: 'When the source is back, readers see it within a minute',
      expected:
        'the source fails for 10 minutes under a read a second, then answers: within a minute a read gets the new row',
      why: 'the next try an hour later, or never (caffeine#498, #1807)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        lab.truth.mode = 'fail';
        await readEverySecond(() => cache.read('a'), 10 * MINUTE);
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        const reads = await readEverySecond(() => cache.read('a'), MINUTE);
        const first = reads.findIndex((read) => read.is('new'));
        return {
          pass: first !== -1,
          observed: first === -1 ? `after a minute, reads get ${reads.at(-1)}` : `new after ${first} s`,
        };
      },
    },
    {
      id: 'recovery-at-once',
      title: 'When the source is back, the very next read sees it',
      expected: 'the same outage: the first read after it gets the new row',
      why: 'who spares a source that is down finds out later that it is up again: one has to choose',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        lab.truth.mode = 'fail';
        await readEverySecond(() => cache.read('a'), 10 * MINUTE);
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'quiet-background-failures',
      title: 'A reload in the background that fails takes nothing away, and does not end the process',
      expected: 'a read a second while the source fails: the value until its ttl is over, and no unhandled rejection',
      why: 'nobody awaits a reload in the background, so its error ends the process (mixpanel-node#289)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        lab.truth.mode = 'fail';
        const fresh = await readEverySecond(() => cache.read('a'), TTL - 2 * SECOND);
        await readEverySecond(() => cache.read('a'), TTL);
        const lost = fresh.filter((read) => !read.is('old'));
        return {
          pass: lost.length === 0,
          observed:
            lost.length === 0 ? 'nothing is lost' : `${times(lost.length, 'read')} of a fresh value got ${lost[0]}`,
        };
      },
    },
    {
      id: 'slow-source',
      title: 'Who reads a key all the time never waits for a slow source',
      expected:
        'a read a second for 5 minutes, the source takes 5 s for each answer: after the first load no read takes more than 1 s',
      why: 'one slow query must not be felt by every request (async-cache-dedupe#7, stale-while-revalidate-cache#48)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        lab.truth.mode = { slowMs: 5 * SECOND };
        const reads = await readEverySecond(() => cache.read('a'), 5 * MINUTE);
        await time.pass(10 * SECOND);
        const longest = Math.max(...reads.map((read) => read.tookMs));
        return {
          pass: longest <= SECOND && lab.truth.count() > 1,
          observed: `the longest read takes ${longest} ms, ${times(lab.truth.count(), 'call')} in all`,
        };
      },
    },
    {
      id: 'expired-is-not-served',
      title: 'An expired value is not served while the source is well',
      expected:
        'a value has expired a second ago, the row has changed, the source answers at once: a read gets the new row',
      why: 'a ttl that does not hold is no promise; surprising defaults (bentocache#110, #71)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await time.pass(TTL + SECOND);
        lab.truth.put('a', 'new');
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
  ],
};

async function readEverySecond(read: () => Promise<unknown>, forMs: number): Promise<Outcome[]> {
  const reads: Outcome[] = [];
  const end = time.now() + forMs;
  while (time.now() < end) {
    reads.push(watch(read()));
    await settle();
    await time.pass(SECOND);
  }
  return reads;
}
