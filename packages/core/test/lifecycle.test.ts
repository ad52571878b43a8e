import { describe, expect, test } from 'vitest';
import { TTLCacheService } from '../src/index.ts';
import { type Behaviour, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, type SetUp, SHAPES, setUp } from './support/set-up.ts';
import { expectStopped, listening } from './support/stopped.ts';

expectNoUnhandledRejections();

const ROWS = [
  ['a', 'a'],
  ['b', 'b'],
] as const;

/** Everything that may be under way when a cache is stopped. */
const UNDER_WAY: readonly { readonly what: string; readonly begin: (set: SetUp<string>) => Promise<unknown> }[] = [
  { what: 'start', begin: ({ cache }) => cache.start() },
  { what: 'fetch', begin: ({ cache }) => cache.fetch('a', { fresh: true }) },
  { what: 'fetchMany', begin: ({ cache }) => cache.fetchMany(['a', 'b'], { fresh: true, timeout: '5s' }) },
  { what: 'warm', begin: ({ cache }) => cache.invalidateAll().then(() => cache.warm(['a', 'b', 'c'])) },
  { what: 'refresh', begin: ({ cache }) => cache.refresh() },
  { what: 'refresh of keys', begin: ({ cache }) => cache.refresh({ keys: ['a', 'b'] }) },
  { what: 'two refreshes', begin: ({ cache }) => Promise.all([cache.refresh(), cache.refresh()]) },
  { what: 'invalidate', begin: ({ cache }) => cache.invalidate('a') },
];

describe.each(SHAPES)('with $shape', ({ methods }) => {
  for (const { what, begin } of UNDER_WAY) {
    test(`stop is safe at every await of ${what}, leaves nothing behind, and start works again`, async () => {
      for (const behaviour of ['answer', 'fail', 'half'] as const satisfies Behaviour[]) {
        for (let turns = 0; turns <= 24; turns += 1) {
          const set = setUp<string>({ methods, rows: ROWS, refreshInterval: '1m' });
          const { source, cache } = set;
          const listeners = listening(set);
          if (what !== 'start') await load(set);
          source.behave(behaviour);
          const begun = begin(set).catch((error: { code: string }) => {
            expect(['stopped', 'source-failed', 'invalid-snapshot']).toContain(error.code);
          });
          for (let turn = 0; turn < turns; turn += 1) await undefined;
          await cache.stop();
          await begun;
          if (turns % 6 === 0) await expectStopped(set, listeners);
          expect(set.clock.pendingTimers).toBe(0);
          source.behave('answer');
          // The failures may have opened the breaker: past its wait, the first call is the probe.
          await set.clock.advance('30s');
          await load(set);
          expect(cache.status().state).toBe('live');
          expect(await cache.fetch('a')).toBe('a');
          await cache.stop();
          expect(listeners()).toBe(0);
        }
      }
    });
  }

  test('any sequence of start, stop, answers and time leaves a cache that works, and stops clean', async () => {
    const steps = ['start', 'stop', 'answer', 'fetch'] as const;
    const length = 5;
    for (let sequence = 0; sequence < steps.length ** length; sequence += 1) {
      const set = setUp<string>({ methods, rows: ROWS });
      const { source, cache, calls, clock } = set;
      const listeners = listening(set);
      source.behave('hold');
      const waits: Promise<unknown>[] = [];
      const later = (wait: Promise<unknown>): void => void waits.push(wait.catch(() => undefined));
      for (let step = 0, rest = sequence; step < length; step += 1, rest = Math.floor(rest / steps.length)) {
        const name = steps[rest % steps.length]!;
        if (name === 'start') later(cache.start());
        else if (name === 'stop') later(cache.stop());
        else if (name === 'fetch') later(cache.fetch('a'));
        else for (const call of calls) call.answer();
        // Every other sequence without a pause between its steps.
        if (sequence % 2) await undefined;
        else await new Promise((resolve) => setImmediate(resolve));
      }
      source.behave('answer');
      const started = cache.start();
      for (let index = 0; index < calls.length; index += 1) calls[index]!.answer();
      await started;
      await Promise.allSettled(waits);
      expect(cache.status().state).toBe('live');
      expect(await cache.fetch('a')).toBe('a');
      expect(listeners()).toBe(1);
      await cache.stop();
      expect(listeners()).toBe(0);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  test('starting twice is starting once', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    const listeners = listening(set);
    const [first, second] = [set.cache.start(), set.cache.start()];
    expect(first).toBe(second);
    expect(set.cache.status().state).toBe('starting');
    await Promise.all([first, second]);
    await set.cache.start();
    expect(set.source.count()).toBe(set.source.fetchAll ? 1 : 0);
    expect(set.cache.status().state).toBe('live');
    expect(listeners()).toBe(1);
    await set.cache.stop();
    expect(listeners()).toBe(0);
  });

  test('stopping twice, or without a start, is stopping', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    const listeners = listening(set);
    await set.cache.stop();
    await expectStopped(set, listeners);
    await load(set);
    await Promise.all([set.cache.stop(), set.cache.stop()]);
    await set.cache.stop();
    await expectStopped(set, listeners);
  });

  test('what was under way when it was stopped ends at once, aborted, and is not stored when it answers all the same', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    const { source, cache, calls } = set;
    source.behave('hold');
    const started = cache.start();
    const fetched = cache.fetch('a').catch((error: unknown) => error);
    const refreshed = cache.refresh({ keys: ['b'] });
    await cache.stop();
    await started;
    expect(await fetched).toMatchObject({ code: 'stopped' });
    expect(await refreshed).toMatchObject({ outcome: 'stopped', error: { code: 'stopped' } });
    for (const call of calls) {
      expect(call.context.signal.aborted).toBe(true);
      call.answer();
    }
    await settle();
    expect(cache.size).toBe(0);
    // Not even by a cache that was started again meanwhile.
    source.behave('hang');
    void cache.start();
    await settle();
    expect(cache.size).toBe(0);
    await cache.stop();
  });

  test('before the start nothing is in memory, and a fetch asks the source', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    expect(set.cache.get('a')).toBeUndefined();
    expect(set.cache.status()).toMatchObject({ state: 'idle', ageMs: undefined, generation: 0, size: 0 });
    expect(set.clock.pendingTimers).toBe(0);
    expect(await set.cache.fetch('a')).toBe('a');
    expect(set.cache.get('a')).toBe('a');
    await set.cache.stop();
  });

  test('`await using` stops it', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    const listeners = listening(set);
    {
      await using cache = set.cache;
      await cache.start();
      expect(await cache.fetch('a')).toBe('a');
    }
    await expectStopped(set, listeners);
  });

  test('a fetch after a stop and a start waits for nothing of the life before, however soon it comes', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const { cache } = setUp<string>({ methods, rows: ROWS });
      void cache.start();
      void cache.stop();
      void cache.start();
      for (let turn = 0; turn < turns; turn += 1) await undefined;
      expect(await cache.fetch('a')).toBe('a');
      await cache.stop();
    }
  });

  test('nor for what was asked of it while it was stopped', async () => {
    const asks = [
      (cache: TTLCacheService<string>) => cache.warm(['a']),
      (cache: TTLCacheService<string>) => cache.refresh(),
    ];
    for (const ask of asks) {
      for (let turns = 0; turns < 12; turns += 1) {
        const { cache } = setUp<string>({ methods, rows: ROWS });
        void cache.start();
        void cache.stop();
        void ask(cache);
        for (let turn = 0; turn < turns; turn += 1) await undefined;
        void cache.start();
        expect(await cache.fetch('a')).toBe('a');
        await cache.stop();
      }
    }
  });

  test('warm on a stopped cache asks nothing, and counts every key as failed', async () => {
    const { cache, source } = setUp<string>({ methods, rows: ROWS });
    await cache.start();
    await cache.stop();
    const calls = source.calls.length;
    expect(await cache.warm(['a', 'b', 'a'])).toEqual({ requested: 2, loaded: 0, absent: 0, failed: 2 });
    expect(source.calls.length).toBe(calls);
  });

  test('an outage of the life before is no degraded state after a start that works', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    await load(set);
    set.source.behave('fail');
    for (let call = 1; call <= 4; call += 1) await set.cache.refresh({ keys: ['a'] });
    expect(set.cache.status().state).toBe('degraded');
    await set.cache.stop();
    set.source.behave('answer');
    await set.clock.advance('1m');
    await set.cache.start();
    expect(await set.cache.fetch('a', { fresh: true })).toBe('a');
    expect(set.cache.status().state).toBe('live');
    await set.cache.stop();
  });
});

test('a stop by a listener, in the middle of what it hears of, is a stop', async () => {
  for (const event of ['refresh', 'change', 'state', 'error', 'quarantine'] as const) {
    const set = setUp<string>({
      rows: ROWS,
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => (value === 'b' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
        },
      },
    });
    const listeners = listening(set);
    if (event === 'error') set.source.behave('fail');
    set.cache.on(event, () => void set.cache.stop());
    await set.cache.start();
    await expectStopped(set, listeners);
  }
});

test('a real cache, on the system clock, lets the process end', async () => {
  const source = { fetchAll: async () => [['a', 'a']] as const };
  const timeouts = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timeouts();
  const cache = new TTLCacheService<string>({ name: 'test', source });
  await cache.start();
  expect(timeouts()).toBe(before);
  await cache.stop();
});
