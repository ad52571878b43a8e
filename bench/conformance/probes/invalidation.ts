/** What is forgotten stays forgotten, whatever is under way. */
import { settle, time } from '../fake-time.ts';
import { attempt, type Lab, type Outcome, offered, type ProbeGroup, SECOND, TTL, times, watch } from '../probe.ts';

/**
 * The race that most of these are about:
 *
 *     read ──▶ source: old ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▶ answer ──▶ stored?
 *                   truth: new   forget                        read ──▶ ?
 */
async function forgetDuring(
  { truth }: Lab,
  read: () => Promise<unknown>,
  forget: () => unknown,
): Promise<{ readonly waiting: Outcome; readonly next: Outcome }> {
  truth.mode = 'hold';
  const waiting = watch(read());
  await settle();
  truth.put('a', 'new');
  truth.mode = 'answer';
  await attempt(forget);
  truth.release();
  await settle();
  return { waiting, next: await attempt(read) };
}

export const invalidation: ProbeGroup = {
  title: 'Forgetting',
  probes: [
    {
      id: 'delete-during-fetch',
      title: 'A delete is not undone by a fetch that was under way',
      expected:
        'a fetch is under way, the row changes, the key is deleted, the fetch ends: the next read gets the new row',
      why: 'else a change that was announced is lost until the ttl ends, and a revoked permission is back (caffeine#193, FusionCache#625, layered-loader#414, lakekeeper#1843)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const read = () => cache.read('a');
        const { next } = await forgetDuring(lab, read, () => cache.forget('a'));
        return { pass: next.is('new'), observed: `the next read gets ${next}` };
      },
    },
    {
      id: 'clear-during-fetch',
      title: 'A clear is not undone by a fetch that was under way',
      expected: 'the same with everything forgotten instead of one key',
      why: 'clear() is what people reach for when they know that something is wrong (FusionCache#648)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const { next } = await forgetDuring(
          lab,
          () => cache.read('a'),
          () => cache.forgetAll(),
        );
        return { pass: next.is('new'), observed: `the next read gets ${next}` };
      },
    },
    {
      id: 'delete-during-bulk-fetch',
      title: 'A delete is not undone by a bulk fetch that was under way',
      expected: 'the same with a read of several keys',
      why: 'the second path to the source is where a fence is forgotten (layered-loader#417)',
      async run(lab) {
        const cache = lab.open();
        const readMany = offered(cache.readMany, 'read that loads several keys');
        lab.truth.put('a', 'old');
        lab.truth.put('b', 'old');
        const read = async () => (await readMany(['a', 'b'])).get('a');
        const { next } = await forgetDuring(lab, read, () => cache.forget('a'));
        return { pass: next.is('new'), observed: `the next read gets ${next}` };
      },
    },
    {
      id: 'delete-during-reload',
      title: 'A delete is not undone by the reload of an expired entry',
      expected: 'the same when an expired value is held, and its reload has been under way for a second',
      why: 'a reload in the background has nobody who waits for it, so nobody sees that it came too late (FusionCache#628, layered-loader#432)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await time.pass(TTL + SECOND);
        lab.truth.mode = 'hold';
        watch(cache.read('a'));
        await time.pass(SECOND);
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await attempt(() => cache.forget('a'));
        lab.truth.release();
        await settle();
        const next = await attempt(() => cache.read('a'));
        return { pass: next.is('new'), observed: `the next read gets ${next}` };
      },
    },
    {
      id: 'read-after-delete',
      title: 'A read after a delete does not join a fetch from before it',
      expected:
        'the old fetch is still under way when the second read starts, and ends after it: this read and the next get the new row',
      why: 'who has written a row and reads it must see what was written',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        lab.truth.mode = 'hold';
        watch(cache.read('a'));
        await settle();
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await attempt(() => cache.forget('a'));
        const second = watch(cache.read('a'));
        await settle();
        lab.truth.release();
        await settle();
        const third = await attempt(() => cache.read('a'));
        return {
          pass: second.is('new') && third.is('new'),
          observed: `the read after the delete gets ${second}, the one after that ${third}`,
        };
      },
    },
    {
      id: 'waiting-caller-is-answered',
      title: 'A caller who waits while the key is deleted is answered',
      expected: 'the read ends with a value, the old one or the new one, not with an error',
      why: 'the caller has done nothing wrong, and the request fails for it',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const { waiting } = await forgetDuring(
          lab,
          () => cache.read('a'),
          () => cache.forget('a'),
        );
        return { pass: waiting.is('old') || waiting.is('new'), observed: `the caller gets ${waiting}` };
      },
    },
    {
      id: 'waiting-caller-is-not-misled',
      title: 'A caller who waits while the key is deleted does not get the deleted value',
      expected: 'the read ends with the new value, or with an error',
      why: 'the caller may act on what is known to be wrong by then',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        const { waiting } = await forgetDuring(
          lab,
          () => cache.read('a'),
          () => cache.forget('a'),
        );
        return { pass: waiting.is('new') || waiting.state === 'error', observed: `the caller gets ${waiting}` };
      },
    },
    {
      id: 'set-during-fetch',
      title: 'A value put in by hand is not overwritten by a fetch that was under way',
      expected:
        'a fetch of the old row is under way, the new value is set, the fetch ends: the next read gets the new one',
      why: 'write-through caches lose writes this way',
      async run(lab) {
        const cache = lab.open();
        const set = offered(cache.set, 'way to put a value in by hand');
        lab.truth.put('a', 'old');
        lab.truth.mode = 'hold';
        watch(cache.read('a'));
        await settle();
        await attempt(() => set('a', { id: 'a', state: 'new' }));
        lab.truth.release();
        await settle();
        lab.truth.mode = 'answer';
        const next = await attempt(() => cache.read('a'));
        return { pass: next.is('new'), observed: `the next read gets ${next}` };
      },
    },
    {
      id: 'delete-undefined',
      title: 'To delete the key `undefined` does not forget everything',
      expected: 'after it, a read of another key asks the source no more often than before',
      why: 'an id that is missing by mistake becomes an empty cache, and every reader asks the database',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        const deleted = await attempt(() => cache.forget(undefined as unknown as string));
        const before = lab.truth.count();
        await attempt(() => cache.read('a'));
        const calls = lab.truth.count() - before;
        return {
          pass: calls === 0,
          observed: `the delete ends with ${deleted.state === 'error' ? deleted : 'no error'}, the read of another key asks the source ${times(calls, 'time')}`,
        };
      },
    },
  ],
};
