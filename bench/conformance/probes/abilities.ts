/** What some of them can do beside, shown by doing it. Not to offer it is no failure. */
import { settleReally, time } from '../fake-time.ts';
import { attempt, describe, MINUTE, type Outcome, offered, type ProbeGroup, SECOND, times, watch } from '../probe.ts';
import type { Row } from '../truth.ts';

export const abilities: ProbeGroup = {
  title: 'Abilities beside',
  probes: [
    {
      id: 'synchronous-read',
      title: 'What is in memory can be read without waiting',
      expected: 'a value that was loaded is returned by a plain call, no promise, and the source is not asked',
      why: 'hot paths; code that cannot await',
      async run(lab) {
        const cache = lab.open();
        const peek = offered(cache.peek, 'synchronous read');
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        const calls = lab.truth.count();
        const seen = describe(peek('a'));
        return { pass: seen === 'the old value' && lab.truth.count() === calls, observed: `it gives ${seen}` };
      },
    },
    {
      id: 'set-by-hand',
      title: 'A value can be put in by hand',
      expected: 'a value is set, and that awaited: a read gets it, and the source is not asked',
      why: 'tests, write-through, values that come from elsewhere',
      async run(lab) {
        const cache = lab.open();
        const set = offered(cache.set, 'way to put a value in by hand');
        await attempt(() => set('a', { id: 'a', state: 'new' }));
        const read = await attempt(() => cache.read('a'));
        const calls = lab.truth.count();
        return { pass: read.is('new') && calls === 0, observed: `the read gets ${read}, ${times(calls, 'call')}` };
      },
    },
    {
      id: 'set-at-once',
      title: 'A value put in by hand is there at once',
      expected: 'the same, and nothing is awaited before the read',
      why: 'code that cannot await',
      async run(lab) {
        const cache = lab.open();
        const set = offered(cache.set, 'way to put a value in by hand');
        watch(set('a', { id: 'a', state: 'new' }));
        const read = await attempt(() => cache.read('a'));
        const calls = lab.truth.count();
        return { pass: read.is('new') && calls === 0, observed: `the read gets ${read}, ${times(calls, 'call')}` };
      },
    },
    {
      id: 'ttl-of-an-entry',
      title: 'An entry can have a ttl of its own',
      expected:
        'the loader gives one row 5 s, another 5 minutes: after 10 s the first is asked for again, after 2 minutes the second is still held',
      why: 'tokens say themselves how long they live',
      async run(lab) {
        offered(lab.contender.openWithTtl, 'ttl of a single entry');
        const ttlOf = (row: unknown): number => ((row as Row).id === 'short' ? 5 * SECOND : 5 * MINUTE);
        const cache = lab.keep(lab.contender.openWithTtl!(lab.truth, ttlOf));
        for (const key of ['short', 'long']) {
          lab.truth.put(key, 'old');
          await attempt(() => cache.read(key));
          lab.truth.put(key, 'new');
        }
        await time.pass(10 * SECOND);
        const short = await attempt(() => cache.read('short'));
        await time.pass(110 * SECOND);
        const long = await attempt(() => cache.read('long'));
        return {
          pass: short.is('new') && long.is('old'),
          observed: `after 10 s the first gives ${short}, after 2 minutes the second ${long}`,
        };
      },
    },
    {
      id: 'tags',
      title: 'Entries can be forgotten by tag',
      expected:
        'two entries of one tag and one of another are loaded, the first tag is forgotten: two of three are asked for again',
      why: 'one change that concerns many entries (caffeine#7, FusionCache tags)',
      async run(lab) {
        offered(lab.contender.openTagged, 'tags');
        const cache = lab.keep(lab.contender.openTagged!(lab.truth));
        const entries = [
          ['a', 'red'],
          ['b', 'red'],
          ['c', 'blue'],
        ] as const;
        for (const [key] of entries) lab.truth.put(key, 'old');
        for (const [key, tag] of entries) await attempt(() => cache.read(key, tag));
        for (const [key] of entries) lab.truth.put(key, 'new');
        await attempt(() => cache.forgetTag('red'));
        const seen: string[] = [];
        for (const [key, tag] of entries) seen.push(String(await attempt(() => cache.read(key, tag))));
        return {
          pass: seen.join() === 'the new value,the new value,the old value',
          observed: `they give ${seen.join(', ')}`,
        };
      },
    },
    {
      id: 'warm-restart',
      title: 'A new process need not begin empty',
      expected:
        'a row is loaded, a second cache is opened over the same second tier (or the dump): it reads the row without a call',
      why: 'a deployment restarts every instance at once',
      async run(lab) {
        offered(lab.contender.openDurable, 'second tier or dump');
        const durable = lab.keep(lab.contender.openDurable!(lab.truth));
        lab.truth.put('a', 'old');
        const ended = async (run: () => Promise<unknown>): Promise<Outcome> => {
          const result = watch(run());
          // The second tier may be a file.
          await settleReally(() => result.state !== 'pending');
          return result;
        };
        await ended(() => durable.first.read('a'));
        const calls = lab.truth.count();
        const read = await ended(async () => (await durable.restart()).read('a'));
        return {
          pass: read.is('old') && lab.truth.count() === calls,
          observed: `it reads ${read} with ${times(lab.truth.count() - calls, 'call')}`,
        };
      },
    },
  ],
};
