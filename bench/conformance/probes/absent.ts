/** Keys that do not exist: anybody can ask for them. */
import { settle, time } from '../fake-time.ts';
import { attempt, MINUTE, offered, type ProbeGroup, SECOND, TTL, times } from '../probe.ts';

/** Reads so many different keys, a hundred at a time, spread over so much time. Counts the values that came. */
async function flood(
  read: (key: string) => Promise<unknown>,
  key: (index: number) => string,
  count: number,
  overMs: number,
): Promise<number> {
  const batch = 100;
  let values = 0;
  for (let start = 0; start < count; start += batch) {
    const reads = Promise.allSettled(Array.from({ length: batch }, (_, index) => read(key(start + index))));
    await settle();
    for (const result of await reads) if (result.status === 'fulfilled' && result.value != null) values += 1;
    await time.pass((overMs * batch) / count);
  }
  return values;
}

export const absent: ProbeGroup = {
  title: 'Keys that do not exist',
  probes: [
    {
      id: 'undefined-is-no-row',
      title: 'A loader that finds nothing may say `undefined`',
      expected: 'the source answers `undefined`: a read gets `undefined`, not an error',
      why: '`rows[0]` of no rows (bentocache#45)',
      async run(lab) {
        const cache = lab.open();
        const read = await attempt(() => cache.read('a'));
        return { pass: read.state === 'value' && read.value === undefined, observed: `the read gets ${read}` };
      },
    },
    {
      id: 'absent-is-remembered',
      title: 'That a key does not exist is remembered',
      expected: '10 reads of it within a second, the source says so as the documentation wants it said: 1 call',
      why: 'an unknown id in a loop is a query each (cacheable#25, node-cache, ar-io-node#625)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.absent = lab.contender.absent;
        for (let read = 0; read < 10; read += 1) {
          await attempt(() => cache.read('a'));
          await time.pass(100);
        }
        const calls = lab.truth.count();
        return { pass: calls === 1, observed: times(calls, 'call') };
      },
    },
    {
      id: 'absent-in-bulk-is-remembered',
      title: 'That a key does not exist is remembered from a bulk read, too',
      expected: 'one key that exists and one that does not are read together, twice: 1 call',
      why: 'a list with one dead id in it is never answered from memory',
      async run(lab) {
        const cache = lab.open();
        const readMany = offered(cache.readMany, 'read that loads several keys');
        lab.truth.put('a', 'old');
        await attempt(() => readMany(['a', 'b']));
        await attempt(() => readMany(['a', 'b']));
        const calls = lab.truth.count();
        return { pass: calls === 1, observed: times(calls, 'call') };
      },
    },
    {
      id: 'absent-is-forgotten',
      title: 'A row that appears is seen, though its key was known not to exist',
      expected: 'the row is inserted after a read in vain: two ttls and one more read later, a read gets it',
      why: 'a missing row that was cached poisons an instance (VirtoCommerce#3029)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.absent = lab.contender.absent;
        await attempt(() => cache.read('a'));
        lab.truth.put('a', 'new');
        await time.pass(2 * TTL);
        await attempt(() => cache.read('a'));
        await time.pass(SECOND);
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'absent-flood-memory',
      title: 'A flood of unknown keys costs bounded memory',
      expected:
        '50,000 different keys of 500 characters, one read each within a minute: the heap grows by less than 10 MB',
      why: 'unbounded nulls are a memory attack (courier#1166)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.absent = lab.contender.absent;
        const collect = globalThis.gc!;
        await flood((key) => cache.read(key), longKey, 1_000, SECOND);
        lab.truth.calls.length = 0;
        collect();
        const before = process.memoryUsage().heapUsed;
        await flood(
          (key) => cache.read(key),
          (index) => longKey(index + 1_000),
          50_000,
          MINUTE / 2,
        );
        lab.truth.calls.length = 0;
        collect();
        const grownMB = (process.memoryUsage().heapUsed - before) / 2 ** 20;
        // Used after the measurement, so that it is not collected before.
        await attempt(() => cache.read('a'));
        return {
          pass: grownMB < 10,
          observed: grownMB < 10 ? 'less than 10 MB' : `${Math.round(grownMB / 10) * 10} MB`,
        };
      },
    },
    {
      id: 'absent-flood-room',
      title: 'A flood of unknown keys does not push out what is in use',
      expected:
        'a row is held, 20,000 keys that do not exist are read within half a minute: a read of the row asks for nothing',
      why: 'an attack on unknown keys empties the cache for the known ones',
      async run(lab) {
        const cache = lab.open();
        lab.truth.absent = lab.contender.absent;
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await flood(
          (key) => cache.read(key),
          (index) => `unknown ${index}`,
          20_000,
          30 * SECOND,
        );
        const before = lab.truth.count();
        const read = await attempt(() => cache.read('a'));
        const calls = lab.truth.count() - before;
        return { pass: calls === 0 && read.is('old'), observed: times(calls, 'call') };
      },
    },
    {
      id: 'absent-flood-rate',
      title: 'A flood of unknown keys does not reach the source unchecked',
      expected:
        '5,000 different keys that do not exist are read within a second: fewer than half of the reads become calls',
      why: 'unknown keys need a rate limit, as every key set of a token issuer has (go-oidc#482, libjwt#313)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.absent = lab.contender.absent;
        await flood(
          (key) => cache.read(key),
          (index) => `unknown ${index}`,
          5_000,
          SECOND,
        );
        const calls = lab.truth.count();
        return { pass: calls < 2_500, observed: times(calls, 'call') };
      },
    },
    {
      id: 'cold-start-is-no-flood',
      title: 'A cold start is not taken for a flood',
      expected: '5,000 different keys that do exist are read within a second: 5,000 values',
      why: 'a limit that hits those who are in the right is worse than none',
      async run(lab) {
        const cache = lab.open();
        for (let key = 0; key < 5_000; key += 1) lab.truth.put(`k${key}`, 'old');
        const values = await flood(
          (key) => cache.read(key),
          (index) => `k${index}`,
          5_000,
          SECOND,
        );
        return { pass: values === 5_000, observed: times(values, 'value') };
      },
    },
  ],
};

function longKey(index: number): string {
  return `${index} `.padEnd(500, 'x');
}
