import { describe, expect, test } from 'vitest';
import { type Source, TTLCacheService } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, SHAPES, SteadyClock, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const DEADLINES = { timeout: '10s', refreshTimeout: '10s' } as const;

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('a source that hangs ends in source-timeout, just at the deadline, and the signal is aborted', async () => {
    const { source, cache, clock, calls } = setUp({ methods, ...DEADLINES });
    source.behave('hang');
    const outcome = cache.fetch('a').catch((error: unknown) => error);
    await clock.advance(9_999);
    expect(calls[0]!.context.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ code: 'source-timeout', cache: 'test' });
    expect(calls[0]!.context.signal.aborted).toBe(true);
    expect(calls[0]!.context.signal.reason).toMatchObject({ code: 'source-timeout' });
  });

  test('a hung call poisons no key: the next fetch after its deadline asks anew', async () => {
    const { source, cache, clock } = setUp({ methods, ...DEADLINES, rows: [['a', 'a']] });
    source.behave('hang');
    const hung = [cache.fetch('a'), cache.fetchMany(['a', 'b'])].map((wait) => wait.catch((error: unknown) => error));
    await clock.advance('10s');
    for (const error of await Promise.all(hung)) expect(error).toMatchObject({ code: 'source-timeout' });
    source.behave('answer');
    expect(await cache.fetch('a')).toBe('a');
    expect(cache.get('a')).toBe('a');
  });

  test('a hung single call does not stand in the way of a fetch after an invalidation', async () => {
    if (methods.length === 1 && methods[0] === 'fetchAll') return;
    const { source, cache } = setUp({ methods, ...DEADLINES, rows: [['a', 'a']] });
    source.behave('hang');
    cache.fetch('a').catch(() => undefined);
    await cache.invalidate('a');
    source.behave('answer');
    expect(await cache.fetch('a')).toBe('a');
    await cache.stop();
  });

  test('an answer after the deadline is thrown away', async () => {
    const { source, cache, clock, calls } = setUp({ methods, ...DEADLINES, rows: [['a', 'late']] });
    source.behave('hold');
    const outcome = cache.fetch('a').catch((error: unknown) => error);
    await clock.advance('10s');
    await outcome;
    calls[0]!.answer();
    await settle();
    expect(cache.get('a')).toBeUndefined();
    expect(cache.inspect('a').state).toBe('unknown');
    expect(cache.stats()).toMatchObject({ entries: 0, negatives: 0, sourceFailures: 1 });
  });

  test('an error after the deadline is thrown away', async () => {
    const { source, cache, clock, calls } = setUp({ methods, ...DEADLINES });
    source.behave('hold');
    const outcome = cache.fetch('a').catch((error: unknown) => error);
    await clock.advance('10s');
    expect(await outcome).toMatchObject({ code: 'source-timeout' });
    calls[0]!.fail();
    await settle();
    expect(cache.stats().sourceFailures).toBe(1);
  });

  test('a hung refresh does not end the refreshing', async () => {
    const set = setUp({ methods, ...DEADLINES, refreshInterval: '1m', rows: [['a', 'old']] });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('hang');
    await clock.advance('2m');
    source.rows.set('a', 'new');
    source.behave('answer');
    await clock.advance('2m');
    expect(cache.get('a')).toBe('new');
    await cache.stop();
  });

  test('what comes in time leaves no timer of its own, and its signal is not aborted', async () => {
    const { cache, clock, calls } = setUp({ methods, ...DEADLINES, rows: [['a', 'a']] });
    await cache.fetch('a', { timeout: '5s', signal: new AbortController().signal });
    expect(calls[0]!.context.signal.aborted).toBe(false);
    expect(clock.keepAliveTimers).toBe(0);
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('the signal of a call that failed is aborted too, so that its leftovers can be cleaned up', async () => {
    const { source, cache, calls } = setUp({ methods });
    source.behave('fail');
    await cache.fetch('a').catch(() => undefined);
    expect(calls[0]!.context.signal.aborted).toBe(true);
  });
});

describe('a process is kept alive', () => {
  test.each(WITH_SNAPSHOT)(
    'by what somebody awaits, and by nothing in the background ($shape)',
    async ({ methods }) => {
      const set = setUp({ methods, rows: [['a', 'a']] });
      const { source, cache, clock } = set;
      source.behave('hold');
      const started = cache.start();
      expect(clock.keepAliveTimers).toBe(1);
      source.calls[0]!.answer();
      await started;
      expect(clock.keepAliveTimers).toBe(0);
      expect(clock.pendingTimers).toBeGreaterThan(0);
      // The refresh by the timer, and by a nudge.
      await clock.advance('1m');
      expect(source.count()).toBe(2);
      expect(clock.keepAliveTimers).toBe(0);
      source.calls[1]!.answer();
      await settle();
      await cache.invalidate('a');
      expect(source.count()).toBe(3);
      expect(clock.keepAliveTimers).toBe(0);
      source.calls[2]!.answer();
      await settle();
      const refreshed = cache.refresh();
      expect(clock.keepAliveTimers).toBe(1);
      source.calls[3]!.answer();
      await refreshed;
      const fetched = cache.fetch('a', { fresh: true, timeout: '1s' });
      expect(clock.keepAliveTimers).toBe(2);
      source.calls[4]!.answer();
      await fetched;
      expect(clock.keepAliveTimers).toBe(0);
      await cache.stop();
    },
  );

  test('by a fetch that joins a refresh in the background, from then on', async () => {
    const set = setUp({ methods: ['fetchAll'], rows: [['a', 'a']], negativeTtl: 0 });
    const { source, cache, clock } = set;
    await cache.start();
    source.behave('hold');
    await clock.advance('1m');
    expect(clock.keepAliveTimers).toBe(0);
    const fetched = cache.fetch('b');
    expect(source.count()).toBe(2);
    expect(clock.keepAliveTimers).toBe(1);
    source.calls[1]!.answer();
    expect(await fetched).toBeUndefined();
    expect(clock.keepAliveTimers).toBe(0);
    await cache.stop();
  });
});

describe('a snapshot', () => {
  test('has refreshTimeout, single keys have timeout', async () => {
    const { source, cache, clock } = setUp({ timeout: '2s', refreshTimeout: '8s' });
    source.behave('hang');
    const single = cache.fetch('a').catch((error: unknown) => error);
    const whole = cache.refresh();
    let ended = '';
    void single.then(() => (ended += 'single '));
    void whole.then(() => (ended += 'whole'));
    await clock.advance('2s');
    expect(ended).toBe('single ');
    await clock.advance(5_999);
    expect(ended).toBe('single ');
    await clock.advance(1);
    expect(ended).toBe('single whole');
  });

  test('that streams too slowly is left at its next row, so that its cursor is closed', async () => {
    const clock = new SteadyClock();
    let read = 0;
    let closed = false;
    const source: Source<string> = {
      fetchAll: async () =>
        (async function* () {
          try {
            for (;;) {
              await new Promise<void>((resolve) => clock.setTimer(resolve, 1_000));
              read += 1;
              yield [`key ${read}`, 'row'] as const;
            }
          } finally {
            closed = true;
          }
        })(),
    };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, refreshTimeout: 3_500 });
    const report = cache.refresh();
    await clock.advance(3_500);
    expect((await report).error).toMatchObject({ code: 'source-timeout' });
    expect([read, closed]).toEqual([3, false]);
    await clock.advance('1m');
    expect([read, closed]).toEqual([4, true]);
    expect(cache.size).toBe(0);
  });

  test('whose answer comes after its deadline is not read to its end', async () => {
    const clock = new SteadyClock();
    let read = 0;
    const rows = function* (): Generator<readonly [string, string]> {
      for (; read < 10_000; read += 1) yield [`key ${read}`, 'row'];
    };
    const late = Promise.withResolvers<AsyncIterable<readonly [string, string]>>();
    const cache = new TTLCacheService<string>({ name: 'test', source: { fetchAll: () => late.promise }, clock });
    const report = cache.refresh();
    await clock.advance('1m');
    await report;
    late.resolve(
      (async function* () {
        yield* rows();
      })(),
    );
    await settle();
    expect(read).toBeLessThan(10);
  });
});

test('a source that throws at once is a failure like others', async () => {
  const clock = new SteadyClock();
  const fetchOne = (): never => {
    throw new Error('at once');
  };
  const cache = new TTLCacheService<string>({ name: 'test', source: { fetchOne }, clock });
  await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed', cause: { message: 'at once' } });
  expect(clock.pendingTimers).toBe(0);
});

test.each(WITH_SNAPSHOT)(
  'a process is kept alive by who waits behind a refresh that nobody awaits ($shape)',
  async ({ methods }) => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], refreshInterval: '1m' });
    const { source, cache, clock, calls } = set;
    await cache.start();
    source.behave('hold');
    await clock.advance('1m');
    expect([calls.length, clock.keepAliveTimers]).toEqual([2, 0]);
    const waits = cache.refresh();
    expect(clock.keepAliveTimers).toBe(1);
    source.behave('answer');
    calls.at(-1)!.answer();
    await waits;
    expect(clock.keepAliveTimers).toBe(0);
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
  },
);
