/** The source does not answer at all. It does not heed an abort either: the worst kind. */
import { settle, time } from '../fake-time.ts';
import { attempt, MINUTE, offered, type ProbeGroup, SECOND, TTL, watch } from '../probe.ts';

export const hangs: ProbeGroup = {
  title: 'When the source hangs',
  probes: [
    {
      id: 'hang-ends',
      title: 'A read of a source that hangs ends',
      expected: 'the source never answers: a read ends within a minute, with whatever',
      why: 'requests pile up behind it until the process dies (caffeine#373, #467)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.mode = 'hang';
        const read = await attempt(() => cache.read('a'), 2 * MINUTE);
        return {
          pass: read.tookMs <= MINUTE,
          observed: `${read}${read.state === 'pending' ? ' in two minutes' : ` after ${read.tookMs} ms`}`,
        };
      },
    },
    {
      id: 'hang-is-over-when-the-source-is-back',
      title: 'A call that hangs does not block its key once the source is back',
      expected:
        'one call hangs, the source is well again, two minutes pass: a read of the key gets the row within a minute',
      why: 'one lost packet, and a key is dead until the process is restarted (caffeine#175, #1478)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'new');
        lab.truth.mode = 'hang';
        watch(cache.read('a'));
        await settle();
        lab.truth.mode = 'answer';
        await time.pass(2 * MINUTE);
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'hang-then-delete',
      title: 'A call that hangs does not block its key after a delete',
      expected:
        'one call hangs, the source is well again, the key is deleted: a read of it gets the row within a second',
      why: 'a delete is what an operator tries first',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'new');
        lab.truth.mode = 'hang';
        watch(cache.read('a'));
        await settle();
        lab.truth.mode = 'answer';
        const deleted = await attempt(() => cache.forget('a'), SECOND);
        const read = await attempt(() => cache.read('a'), SECOND);
        const stuck = deleted.state === 'pending' ? 'the delete hangs, and ' : '';
        return { pass: read.is('new'), observed: `${stuck}the read gets ${read}` };
      },
    },
    {
      id: 'hang-then-clear',
      title: 'A call that hangs does not block its key after a clear',
      expected: 'the same with everything forgotten',
      why: 'a clear is what an operator tries next',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'new');
        lab.truth.mode = 'hang';
        watch(cache.read('a'));
        await settle();
        lab.truth.mode = 'answer';
        await attempt(() => cache.forgetAll(), SECOND);
        const read = await attempt(() => cache.read('a'), SECOND);
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'hang-while-stale',
      title: 'A call that hangs does not block its key where an expired value bridged the time',
      expected:
        'a value expires, the call for the next hangs, the source is well again, two hours pass: a read gets the new row within a minute',
      why: 'the reload in the background is the call that nobody watches; the old value is served for ever (caffeine#120)',
      async run(lab) {
        const cache = lab.open();
        lab.truth.put('a', 'old');
        await attempt(() => cache.read('a'));
        await time.pass(TTL + SECOND);
        lab.truth.mode = 'hang';
        watch(cache.read('a'));
        await time.pass(SECOND);
        lab.truth.put('a', 'new');
        lab.truth.mode = 'answer';
        await time.pass(120 * MINUTE, SECOND);
        const read = await attempt(() => cache.read('a'));
        return { pass: read.is('new'), observed: `the read gets ${read}` };
      },
    },
    {
      id: 'deadline',
      title: 'A caller can say how long to wait',
      expected: 'the source hangs, the caller gives it 100 ms: the read ends within a second',
      why: 'a request has a deadline of its own',
      async run(lab) {
        const readWithin = offered(lab.open().readWithin, 'deadline of a single read');
        lab.truth.mode = 'hang';
        const read = await attempt(() => readWithin('a', 100), MINUTE);
        return {
          pass: read.tookMs <= SECOND,
          observed: `${read}${read.state === 'pending' ? ' in a minute' : ` after ${read.tookMs} ms`}`,
        };
      },
    },
    {
      id: 'deadline-is-his-own',
      title: "A caller's deadline harms no other caller",
      expected:
        'one caller gives the source 100 ms, another waits for the same key, the source answers after half a second: the other gets the row',
      why: 'the most impatient caller must not decide for all',
      async run(lab) {
        const cache = lab.open();
        const readWithin = offered(cache.readWithin, 'deadline of a single read');
        lab.truth.put('a', 'new');
        lab.truth.mode = { slowMs: 500 };
        watch(readWithin('a', 100));
        const other = watch(cache.read('a'));
        await time.pass(2 * SECOND);
        return { pass: other.is('new'), observed: `the other gets ${other}` };
      },
    },
  ],
};
