import { describe, expect, test } from 'vitest';
import { type Source, TTLCacheService } from '../src/index.ts';
import { type SourceMethod, settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { ON_DEMAND, SHAPES, SteadyClock, setUp, WITH_SNAPSHOT } from './support/set-up.ts';
import { behaveWatch, errorsOf, ROWS, WATCHED } from './support/watched.ts';

expectNoUnhandledRejections();

const watched = (methods: readonly SourceMethod[]): readonly SourceMethod[] => [...methods, 'watch'];
describe.each(SHAPES)('with $shape, a watch', ({ methods }) => {
  test('is set up at the start, before the first load has ended, and ended by stop', async () => {
    const set = setUp<string>({ methods: watched(methods), rows: ROWS });
    const { source, cache, clock, calls } = set;
    expect(cache.status().watching).toBe(false);
    source.behave((_, method) => (method === 'fetchAll' ? 'hold' : 'answer'));
    const started = cache.start();
    await settle();
    expect([source.watching, cache.status().watching]).toEqual([1, true]);
    const [watch] = calls.filter(({ method }) => method === 'watch');
    expect(watch!.context.reason).toBe('watch');
    source.behave('answer');
    for (const call of calls) call.answer();
    await started;
    await settle();
    expect(watch!.context.signal.aborted).toBe(false);
    await cache.stop();
    expect([source.watching, cache.status().watching]).toEqual([0, false]);
    expect(watch!.context.signal.aborted).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test('rings, and what has changed is there', async () => {
    const set = setUp<string>({ methods: watched(methods), rows: ROWS });
    const { source, cache } = set;
    await cache.start();
    await cache.fetchMany(['a', 'b']);
    await settle();
    source.rows.set('a', 'new');
    source.nudge();
    await settle();
    expect(cache.getMany(['a', 'b'])).toEqual(['new', 'b']);
    expect(cache.status().lastRefresh).toMatchObject({ reason: 'nudge', updated: 1 });
    await cache.stop();
  });
});

describe.each(WITH_SNAPSHOT)('with $shape, nudges', ({ methods }) => {
  test('come when the watch stands: what changed before that is not missed', async () => {
    const set = setUp<string>({ methods: watched(methods), rows: ROWS });
    const { source, cache, calls } = set;
    behaveWatch(set, 'hold');
    await cache.start();
    source.rows.set('a', 'new');
    expect(cache.get('a')).toBe('a');
    calls.find(({ method }) => method === 'watch')!.answer();
    await settle();
    expect(cache.get('a')).toBe('new');
    expect(cache.status().lastRefresh).toMatchObject({ reason: 'watch' });
    expect(source.count('fetchAll')).toBe(2);
    await cache.stop();
  });

  test('are at most one refresh running and one waiting', async () => {
    const set = setUp<string>({ methods: watched(methods), rows: ROWS });
    const { source, cache, calls } = set;
    await cache.start();
    await settle();
    const before = calls.length;
    source.behave('hold');
    for (let nudge = 0; nudge < 100; nudge += 1) source.nudge();
    await settle();
    for (let nudge = 0; nudge < 100; nudge += 1) source.nudge();
    expect(calls.length - before).toBe(1);
    source.behave('answer');
    calls.at(-1)!.answer();
    await settle();
    expect(calls.length - before).toBe(2);
    await cache.stop();
  });
});

describe.each(ON_DEMAND)('with $shape, a nudge', ({ methods }) => {
  test('reads again what is held, and forgets what is absent', async () => {
    const set = setUp<string>({ methods: watched(methods), rows: ROWS });
    const { source, cache, calls } = set;
    await cache.start();
    await cache.fetch('a');
    expect(await cache.fetch('c')).toBeUndefined();
    source.rows.set('a', 'new').set('c', 'new');
    const before = calls.length;
    source.nudge();
    await settle();
    expect(calls.slice(before).map(({ keys }) => keys)).toEqual([['a']]);
    expect(cache.get('a')).toBe('new');
    expect(await cache.fetch('c')).toBe('new');
    await cache.stop();
  });
});

describe('a watch that is lost', () => {
  test('is an error, is set up again, and nudges when it stands again', async () => {
    const set = setUp<string>({ methods: WATCHED, rows: ROWS });
    const { source, cache, clock } = set;
    const errors = errorsOf(set);
    await cache.start();
    await settle();
    source.loseWatch(new Error('connection reset'));
    expect(errors).toMatchObject([
      { code: 'source-failed', message: 'cache "test": the watch failed: connection reset' },
    ]);
    expect((errors[0]!.cause as Error).message).toBe('connection reset');
    expect(cache.status()).toMatchObject({ watching: false, state: 'live', breaker: 'closed' });
    source.rows.set('a', 'new');
    await clock.advance(99);
    expect([cache.status().watching, cache.get('a')]).toEqual([false, 'a']);
    // Half of 200 ms, by chance.
    await clock.advance(1);
    expect([cache.status().watching, cache.get('a'), source.watching]).toEqual([true, 'new', 1]);
    // What the lost one held is let go of too.
    expect(source.count('unwatch')).toBe(1);
    await cache.stop();
    expect(source.count('unwatch')).toBe(2);
  });

  test('comes again after random(0, min(30 s, 200 ms · 2^n)), and one that dies at once is no success', async () => {
    for (const behaviour of ['fail', 'half'] as const) {
      const set = setUp<string>({ methods: WATCHED, rows: ROWS, refreshInterval: '1h', ttl: '2h' });
      const { source, cache, clock } = set;
      clock.chance = 0.75;
      behaveWatch(set, behaviour);
      await cache.start();
      await settle();
      for (let failures = 0; failures < 12; failures += 1) {
        const wait = Math.min(30_000, 200 * 2 ** failures) * 0.75;
        expect([behaviour, failures, source.count('watch')]).toEqual([behaviour, failures, failures + 1]);
        await clock.advance(wait - 1);
        expect(source.count('watch')).toBe(failures + 1);
        await clock.advance(1);
      }
      // Once it has stood for longer than the longest wait, it begins anew.
      source.behave('answer');
      await clock.advance('22500ms');
      expect(cache.status().watching).toBe(true);
      await clock.advance('30s');
      source.loseWatch();
      await clock.advance(150);
      expect(cache.status().watching).toBe(true);
      await cache.stop();
    }
  });

  test('waits no longer in the next life for its failures in this one', async () => {
    const set = setUp<string>({ methods: WATCHED, rows: ROWS });
    const { source, cache, clock } = set;
    for (const life of [1, 2, 3]) {
      behaveWatch(set, 'fail');
      await cache.start();
      await clock.advance('5m');
      const watches = source.count('watch');
      await cache.stop();
      await cache.start();
      await clock.advance(100);
      expect([life, source.count('watch')]).toEqual([life, watches + 2]);
      await cache.stop();
    }
  });

  test('has no say any more: neither its nudges, nor a second loss, nor an end of its own', async () => {
    const clock = new SteadyClock();
    const rung: { nudge: () => void; lost: (error: unknown) => void }[] = [];
    const source: Source<string> = {
      fetchOne: async () => 'a',
      watch: async (nudge, { lost }) => {
        rung.push({ nudge, lost });
        return async () => undefined;
      },
    };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock });
    const errors: string[] = [];
    cache.on('error', ({ message }) => errors.push(message));
    await cache.start();
    await settle();
    rung[0]!.lost('first');
    rung[0]!.lost(new Error('second'));
    await clock.advance('1s');
    rung[0]!.lost(new Error('third'));
    const { length } = cache.reports();
    rung[0]!.nudge();
    await settle();
    expect(errors).toEqual(['cache "test": the watch failed: first']);
    expect([rung.length, cache.status().watching, cache.reports().length]).toEqual([2, true, length]);
    rung[1]!.nudge();
    await settle();
    expect(cache.reports().length).toBe(length + 1);
    await cache.stop();
    rung[1]!.nudge();
    rung[1]!.lost(new Error('too late'));
    await clock.advance('1m');
    expect([rung.length, errors.length, clock.pendingTimers]).toEqual([2, 1, 0]);
  });
});

describe('a watch that fails', () => {
  test('does not count towards the breaker: reads and refreshes go on', async () => {
    for (const behaviour of ['fail', 'half', 'refuse'] as const) {
      const set = setUp<string>({ methods: WATCHED, rows: ROWS });
      const errors = errorsOf(set);
      behaveWatch(set, behaviour);
      await set.cache.start();
      await set.clock.advance('10m');
      expect(errors.length).toBe(1);
      expect(set.cache.status()).toMatchObject({
        state: 'live',
        breaker: 'closed',
        lastRefresh: { outcome: 'unchanged' },
      });
      expect(set.cache.stats()).toMatchObject({ sourceFailures: 0, refreshFailures: 0 });
      expect(await set.cache.fetch('a', { fresh: true })).toBe('a');
      await set.cache.stop();
    }
  });

  test('is said once for each time that it had stood, however often it is tried', async () => {
    const set = setUp<string>({ methods: WATCHED, rows: ROWS });
    const { source, cache, clock } = set;
    const errors = errorsOf(set);
    await cache.start();
    await settle();
    for (const told of [1, 2]) {
      behaveWatch(set, 'fail');
      source.loseWatch(new Error('connection reset'));
      await clock.advance('10m');
      expect([errors.length, cache.status().watching]).toEqual([told, false]);
      source.behave('answer');
      await clock.advance('1m');
      expect([errors.length, cache.status().watching]).toEqual([told, true]);
    }
    await cache.stop();
    behaveWatch(set, 'fail');
    await cache.start();
    await clock.advance('10m');
    expect(errors.length).toBe(3);
    await cache.stop();
  });

  test('is not tried while the breaker is open, and at once when it closes', async () => {
    const set = setUp<string>({ methods: WATCHED, rows: ROWS });
    const { source, cache, clock } = set;
    await cache.start();
    await settle();
    source.behave('fail');
    for (let call = 0; call < 3; call += 1) await cache.fetch('c').catch(() => undefined);
    expect(cache.status().breaker).toBe('open');
    source.loseWatch();
    await clock.advance('10m');
    expect(cache.status().breaker).toBe('open');
    expect(source.count('watch')).toBe(1);
    source.behave('answer');
    source.rows.set('a', 'new');
    await cache.refresh();
    await settle();
    expect(cache.status()).toMatchObject({ breaker: 'closed', watching: true });
    expect(source.count('watch')).toBe(2);
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('by throwing at once, or by answering no function, harms nobody', async () => {
    const throws = (): never => {
      throw new Error('no watch today');
    };
    for (const [watch, told] of [
      [throws, 1],
      [async () => 'no function', 1],
      [async () => undefined, 0],
    ] as const) {
      const clock = new SteadyClock();
      const source = { fetchOne: async () => 'a', watch } as unknown as Source<string>;
      const cache = new TTLCacheService<string>({ name: 'test', source, clock });
      const errors: string[] = [];
      cache.on('error', ({ message }) => errors.push(message));
      await cache.start();
      await settle();
      expect(await cache.fetch('a')).toBe('a');
      await cache.stop();
      expect(errors).toHaveLength(told);
      expect(clock.pendingTimers).toBe(0);
    }
  });
});
