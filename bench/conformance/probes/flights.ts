/** Many readers, one source call. */
import { settle } from '../fake-time.ts';
import { attempt, type Lab, type Outcome, offered, type ProbeGroup, times, watch } from '../probe.ts';

/** So many reads at once of a source that answers, or fails, when all of them have come. */
async function readAtOnce(
  { truth }: Lab,
  count: number,
  read: () => Promise<unknown>,
  ending: 'answer' | 'fail',
): Promise<{ readonly calls: number; readonly values: number; readonly errors: number }> {
  truth.mode = 'hold';
  const reads = Array.from({ length: count }, () => watch(read()));
  await settle();
  truth.mode = ending;
  truth.release(ending);
  await settle();
  const ended = (state: Outcome['state']): number => reads.filter((each) => each.state === state).length;
  return {
    calls: truth.count(),
    values: reads.filter(({ state, value }) => state === 'value' && value !== undefined).length,
    errors: ended('error'),
  };
}

export const flights: ProbeGroup = {
  title: 'Many readers, one source call',
  probes: [
    {
      id: 'one-flight',
      title: 'Many readers of a missing key are one source call',
      expected: '1,000 reads of one key at once: 1 call, 1,000 values',
      why: 'a stampede is the very outage that a cache is bought against (cacheable#888, #977)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const { calls, values } = await readAtOnce(lab, 1_000, () => cache.read('a'), 'answer');
        return {
          pass: calls === 1 && values === 1_000,
          observed: `${times(calls, 'call')}, ${times(values, 'value')}`,
        };
      },
    },
    {
      id: 'one-flight-that-fails',
      title: 'Many readers of a missing key are one source call when it fails, too',
      expected: '100 reads of one key at once, the call fails: 1 call, 100 errors',
      why: 'else a source that fails under load gets a hundred times the load just then',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const { calls, errors } = await readAtOnce(lab, 100, () => cache.read('a'), 'fail');
        return {
          pass: calls === 1 && errors === 100,
          observed: `${times(calls, 'call')}, ${times(errors, 'error')}`,
        };
      },
    },
    {
      id: 'one-bulk-call',
      title: 'A read of several keys is one source call',
      expected: 'a read of 10 missing keys: 1 call, 10 values',
      why: 'N+1 queries (bentocache#22)',
      async run(lab) {
        const readMany = offered(lab.open().readMany, 'read that loads several keys');
        const keys = Array.from({ length: 10 }, (_, index) => `k${index}`);
        for (const key of keys) lab.truth.put(key, 'old');
        const read = await attempt(() => readMany(keys));
        const found = read.value instanceof Map ? read.value.size : 0;
        const calls = lab.truth.count();
        return { pass: calls === 1 && found === 10, observed: `${times(calls, 'call')}, ${times(found, 'value')}` };
      },
    },
    {
      id: 'one-bulk-flight',
      title: 'Many readers of the same several keys are one source call',
      expected: '100 reads of the same two keys at once: 1 call',
      why: 'a list on a start page is a bulk read by everybody at once',
      async run(lab) {
        const cache = lab.open();
        const readMany = offered(cache.readMany, 'read that loads several keys');
        lab.truth.put('a', 'old');
        lab.truth.put('b', 'old');
        const { calls, values } = await readAtOnce(lab, 100, () => readMany(['a', 'b']), 'answer');
        return { pass: calls === 1 && values === 100, observed: `${times(calls, 'call')}, ${times(values, 'answer')}` };
      },
    },
    {
      id: 'read-joins-bulk-flight',
      title: 'A read joins a bulk read of its key that is under way',
      expected: 'a read of two keys is under way when one of them is read alone: 1 call in all',
      why: 'both paths are used side by side',
      async run(lab) {
        const cache = lab.open();
        const readMany = offered(cache.readMany, 'read that loads several keys');
        lab.truth.put('a', 'old');
        lab.truth.put('b', 'old');
        lab.truth.mode = 'hold';
        watch(readMany(['a', 'b']));
        await settle();
        const alone = watch(cache.read('a'));
        await settle();
        lab.truth.release();
        await settle();
        const calls = lab.truth.count();
        return {
          pass: calls === 1 && alone.is('old'),
          observed: `${times(calls, 'call')}, the single read gets ${alone}`,
        };
      },
    },
    {
      id: 'more-flights-than-room',
      title: 'More keys may be fetched at once than there is room for',
      expected: 'room for 2 entries, 3 keys read at once: 3 values',
      why: 'requests fail because others came (node-lru-cache#320)',
      async run(lab) {
        const cache = lab.open({ max: 2 });
        const keys = ['a', 'b', 'c'];
        for (const key of keys) lab.truth.put(key, 'old');
        lab.truth.mode = 'hold';
        const reads = keys.map((key) => watch(cache.read(key)));
        await settle();
        lab.truth.release();
        await settle();
        return {
          pass: reads.every((read) => read.is('old')),
          observed: `they get ${reads.join(', ')}`,
        };
      },
    },
  ],
};
