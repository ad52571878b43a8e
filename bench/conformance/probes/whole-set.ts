/** A source that can be read whole: what a refresh changes, and what readers see meanwhile. */
import { isDeepStrictEqual } from 'node:util';
import type { WholeSetCache } from '../contender.ts';
import { settle, time } from '../fake-time.ts';
import { attempt, type Lab, MINUTE, type ProbeGroup, REFRESH, SECOND, stateOf, times, watch } from '../probe.ts';

/** Loaded with these keys, all old. */
async function started(lab: Lab, keys: readonly string[]): Promise<WholeSetCache> {
  for (const key of keys) lab.truth.put(key, 'old');
  const cache = lab.openWholeSet();
  await attempt(() => cache.start());
  return cache;
}

/** What is in memory, in words: how many keys are in which state. */
function inMemory(cache: WholeSetCache, keys: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const state = String(stateOf(cache.peek(key)) ?? 'missing');
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

const named = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index}`);
const enough = REFRESH * 2;

export const wholeSet: ProbeGroup = {
  title: 'A whole set, loaded at start and kept true',
  probes: [
    {
      id: 'preload',
      title: 'Everything is loaded at start, in one call',
      expected: '100 rows, start, a read of each: 1 call for the whole set, none for a key',
      why: 'the oldest wish of all: load all at start (guava#1466, caffeine#7, samber/hot#63)',
      async run(lab) {
        const keys = named(100);
        const cache = await started(lab, keys);
        for (const key of keys) await attempt(() => cache.read(key));
        const whole = lab.truth.count('all');
        const single = lab.truth.count() - whole;
        return {
          pass: whole === 1 && single === 0,
          observed: `${times(whole, 'call')} for the set, ${single} for keys`,
        };
      },
    },
    {
      id: 'changed-and-new-rows',
      title: 'Changed and new rows appear by themselves',
      expected: 'one row changes, one is inserted; two intervals later, without a read, both are in memory',
      why: 'and reload on a schedule (guava#971, caffeine#306, #1536, jetcache#69)',
      async run(lab) {
        const cache = await started(lab, ['a', 'b']);
        lab.truth.put('a', 'new');
        lab.truth.put('c', 'new');
        await time.pass(enough);
        const seen = inMemory(cache, ['a', 'b', 'c']);
        return { pass: seen === '2 new, 1 old' || seen === '1 old, 2 new', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'deleted-row-goes',
      title: 'A row that is gone at the source goes',
      expected: '1 of 3 rows is deleted at the source: two intervals later it is not in memory',
      why: 'caches that only put rows in never forget (Cachex warmers, speedtables#51)',
      async run(lab) {
        const cache = await started(lab, ['a', 'b', 'c']);
        lab.truth.remove('c');
        await time.pass(enough);
        const seen = inMemory(cache, ['a', 'b', 'c']);
        return { pass: seen === '2 old, 1 missing', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'emptied-source-is-not-believed-at-once',
      title: 'A source that is suddenly empty is not believed at once',
      expected: 'all of 100 rows are gone in one answer: after it, the old rows are still served',
      why: 'a wrong search path, a half-finished import: an empty answer that is no error (grype-db#257, kura#1213, unleash)',
      async run(lab) {
        const keys = named(100);
        const cache = await started(lab, keys);
        lab.truth.remove(...keys);
        await attempt(() => cache.refresh());
        const seen = inMemory(cache, keys);
        return { pass: seen === '100 old', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'emptied-source-is-believed-in-the-end',
      title: 'A source that says again that it is empty is believed',
      expected: 'it stays empty for 10 intervals: no row is in memory',
      why: 'the last row, too, can be deleted for good reasons (spiceai#13992)',
      async run(lab) {
        const keys = named(100);
        const cache = await started(lab, keys);
        lab.truth.remove(...keys);
        await time.pass(10 * REFRESH);
        const seen = inMemory(cache, keys);
        return { pass: seen === '100 missing', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'mass-removal-is-not-believed-at-once',
      title: 'A source that has suddenly lost most of its rows is not believed at once',
      expected: '90 of 100 rows are gone in one answer: after it, all old rows are still served',
      why: 'a filter with a mistake in it (Hollow has validators for this)',
      async run(lab) {
        const keys = named(100);
        const cache = await started(lab, keys);
        lab.truth.remove(...keys.slice(10));
        await attempt(() => cache.refresh());
        const seen = inMemory(cache, keys);
        return { pass: seen === '100 old', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'outage-takes-nothing',
      title: 'A source that is down takes nothing away',
      expected: 'the source fails for 10 minutes: all rows are still served, and no error is left to nobody',
      why: 'that is when the cache is needed most',
      async run(lab) {
        const keys = named(10);
        const cache = await started(lab, keys);
        lab.truth.mode = 'fail';
        await time.pass(10 * MINUTE);
        const seen = inMemory(cache, keys);
        return { pass: seen === '10 old', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'half-an-answer-changes-nothing',
      title: 'An answer that breaks off half-way changes nothing',
      expected: 'all 10 rows change, the stream fails after 5: all 10 old rows are in memory',
      why: 'a lost connection in the middle of a result is an everyday event',
      async run(lab) {
        const keys = named(10);
        const cache = await started(lab, keys);
        for (const key of keys) lab.truth.put(key, 'new');
        lab.truth.mode = 'half';
        await attempt(() => cache.refresh());
        const seen = inMemory(cache, keys);
        return { pass: seen === '10 old', observed: `in memory: ${seen}` };
      },
    },
    {
      id: 'no-mixture',
      title: 'Readers see a refresh whole or not at all',
      expected: 'all 10 rows change, the stream pauses after 5: all are old then, and all are new when it has ended',
      why: 'rows that belong together are read together',
      async run(lab) {
        const keys = named(10);
        const cache = await started(lab, keys);
        for (const key of keys) lab.truth.put(key, 'new');
        lab.truth.mode = 'hold-half';
        const refresh = watch(cache.refresh());
        await settle();
        const meanwhile = inMemory(cache, keys);
        lab.truth.mode = 'answer';
        lab.truth.release();
        await settle();
        const after = inMemory(cache, keys);
        return {
          pass: meanwhile === '10 old' && after === '10 new' && refresh.state !== 'pending',
          observed: `meanwhile: ${meanwhile}; after: ${after}`,
        };
      },
    },
    {
      id: 'delete-during-refresh',
      title: 'A delete during a refresh is not undone by it',
      expected:
        'the refresh has read the old rows, one changes and is deleted from the cache, the refresh ends: a read gets the new row',
      why: 'the third path to the source',
      async run(lab) {
        const cache = await started(lab, ['a', 'b', 'c']);
        lab.truth.mode = 'hold';
        watch(cache.refresh());
        await settle();
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await attempt(() => cache.forget('a'));
        lab.truth.release();
        await settle();
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'read-during-refresh',
      title: 'A newer row that was read during a refresh is not undone by it',
      expected:
        'the same, with a read of the deleted key before the refresh ends: that read and the next get the new row',
      why: 'a value that goes back in time after it was seen',
      async run(lab) {
        const cache = await started(lab, ['a', 'b', 'c']);
        lab.truth.mode = 'hold';
        watch(cache.refresh());
        await settle();
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await attempt(() => cache.forget('a'));
        const during = watch(cache.read('a'));
        await settle();
        lab.truth.release();
        await settle();
        const after = await attempt(() => cache.read('a'));
        return {
          pass: during.is('new') && after.is('new'),
          observed: `the read during it gets ${during}, the one after it ${after}`,
        };
      },
    },
    {
      id: 'unchanged-rows-are-the-same',
      title: 'An unchanged row stays the same object',
      expected: 'two refreshes answer new objects, equal but for one row: the others are `===` to what they were',
      why: 'what was compiled from a row need not be compiled again, and memory stays flat',
      async run(lab) {
        const cache = await started(lab, ['a', 'b']);
        const before = cache.peek('a');
        lab.truth.put('b', 'new');
        await attempt(() => cache.refresh());
        await attempt(() => cache.refresh());
        const after = cache.peek('a');
        return {
          pass: before !== undefined && before === after,
          observed:
            before === after
              ? 'the same object'
              : `another object, ${isDeepStrictEqual(before, after) ? '' : 'not '}equal`,
        };
      },
    },
    {
      id: 'bad-row-costs-one-row',
      title: 'One bad row costs one row',
      expected: '1 of 3 rows is invalid, another has changed: the invalid one is not served, the changed one is',
      why: 'all or nothing makes one typing error an outage; nothing at all serves it (unleash)',
      async run(lab) {
        for (const key of ['a', 'b', 'c']) lab.truth.put(key, 'old');
        const cache = lab.openWholeSet({ isValid: (value) => stateOf(value) !== 'bad' });
        await attempt(() => cache.start());
        lab.truth.put('a', 'bad');
        lab.truth.put('b', 'new');
        await attempt(() => cache.refresh());
        const a = describeState(cache.peek('a'));
        const b = describeState(cache.peek('b'));
        return { pass: a !== 'bad' && b === 'new', observed: `the invalid row gives ${a}, the changed one ${b}` };
      },
    },
    {
      id: 'closed-world',
      title: 'After a complete load, a key that does not exist costs no call',
      expected: '10 reads of 10 keys that do not exist: no call, `undefined`',
      why: 'who holds everything knows what there is not',
      async run(lab) {
        lab.truth.put('a', 'old');
        const cache = lab.openWholeSet({ closedWorld: true });
        await attempt(() => cache.start());
        const before = lab.truth.count();
        const reads = [];
        for (const key of named(10)) reads.push(await attempt(() => cache.read(key)));
        const calls = lab.truth.count() - before;
        const right = reads.filter(({ state, value }) => state === 'value' && value === undefined).length;
        return {
          pass: calls === 0 && right === 10,
          observed: `${times(calls, 'call')}, ${right} of 10 are undefined${right === 10 ? '' : `, the first gets ${reads[0]}`}`,
        };
      },
    },
    {
      id: 'row-between-refreshes',
      title: 'A row that was inserted between two refreshes is found when it is asked for',
      expected: 'a row is inserted after the start: the first read of it gets it, by a single call',
      why: 'what a user has just made must be there',
      async run(lab) {
        const cache = await started(lab, ['a']);
        lab.truth.put('b', 'new');
        const read = await attempt(() => cache.read('b'), SECOND);
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'large-set',
      title: 'A set of 20,000 rows is held whole, without an option for it',
      expected: 'all rows are in memory after the start',
      why: 'a row that was dropped silently looks like a row that does not exist',
      async run(lab) {
        const keys = named(20_000);
        const cache = await started(lab, keys);
        const seen = inMemory(cache, keys);
        return { pass: seen === '20000 old', observed: `in memory: ${seen}` };
      },
    },
  ],
};

function describeState(value: unknown): string {
  return String(stateOf(value) ?? 'nothing');
}
