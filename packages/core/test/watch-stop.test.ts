import { describe, expect, test } from 'vitest';
import { type Source, TTLCacheService } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { SteadyClock, setUp } from './support/set-up.ts';
import { behaveWatch, errorsOf, ROWS, WATCHED } from './support/watched.ts';

expectNoUnhandledRejections();

describe('a watch that does not stand in time', () => {
  test('is aborted and tried again; if it stands after all, it is ended', async () => {
    const set = setUp<string>({ methods: WATCHED, rows: ROWS, timeout: '5s', refreshInterval: '1h', ttl: '2h' });
    const { source, cache, clock, calls } = set;
    const errors = errorsOf(set);
    behaveWatch(set, 'hold');
    await cache.start();
    const watch = calls.find(({ method }) => method === 'watch')!;
    await clock.advance(4_999);
    expect([watch.context.signal.aborted, errors.length]).toEqual([false, 0]);
    await clock.advance(1);
    expect(watch.context.signal.aborted).toBe(true);
    expect(errors).toMatchObject([{ code: 'source-timeout', message: expect.stringContaining('within 5000 ms') }]);
    source.behave('answer');
    await clock.advance(100);
    expect([cache.status().watching, source.watching, source.count('unwatch')]).toEqual([true, 1, 0]);
    const reports = cache.reports().length;
    watch.answer();
    await settle();
    expect([cache.status().watching, source.watching, source.count('unwatch')]).toEqual([true, 1, 1]);
    expect(cache.reports().length).toBe(reports);
    await cache.stop();
  });
});

describe('stop', () => {
  test('waits for the watch to end, but no longer than its timeout', async () => {
    const set = setUp<string>({ methods: WATCHED, rows: ROWS, timeout: '5s' });
    const { source, cache, clock } = set;
    const errors = errorsOf(set);
    for (const behaviour of [{ slowMs: 3_000 }, 'hang', 'fail'] as const) {
      errors.length = 0;
      source.behave('answer');
      await cache.start();
      await settle();
      source.behave(behaviour);
      let stopped = false;
      const stopping = cache.stop().then(() => {
        stopped = true;
      });
      await clock.advance(2_999);
      expect(stopped).toBe(behaviour === 'fail');
      await clock.advance('3s');
      expect(stopped).toBe(true);
      await stopping;
      const codes = { hang: ['source-timeout'], fail: ['source-failed'] };
      expect(errors.map(({ code }) => code)).toEqual(typeof behaviour === 'string' ? codes[behaviour] : []);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  test('while the watch is being set up, or waits to be, ends it; start works again', async () => {
    for (const behaviour of ['hold', 'fail'] as const) {
      const set = setUp<string>({ methods: WATCHED, rows: ROWS });
      const { source, cache, clock, calls } = set;
      behaveWatch(set, behaviour);
      await cache.start();
      await settle();
      await cache.stop();
      await clock.advance('1m');
      expect([source.count('watch'), clock.pendingTimers]).toEqual([1, 0]);
      source.behave('answer');
      await cache.start();
      await settle();
      calls.find(({ method }) => method === 'watch')!.answer();
      await settle();
      // The first one may stand by now: it is ended, the second is not.
      expect([cache.status().watching, source.watching]).toEqual([true, 1]);
      source.rows.set('a', 'new');
      source.nudge();
      await settle();
      expect(cache.get('a')).toBe('new');
      await cache.stop();
      expect(source.watching).toBe(0);
    }
  });

  test('of a cache that is watched needs no process kept alive: no timer of a watch does that', async () => {
    const set = setUp<string>({ methods: ['fetchOne', 'watch'], rows: ROWS });
    const { source, cache, clock } = set;
    for (const behaviour of ['hang', 'fail', 'answer'] as const) {
      behaveWatch(set, behaviour);
      await cache.start();
      await settle();
      expect([behaviour, clock.keepAliveTimers]).toEqual([behaviour, 0]);
      await cache.stop();
    }
    expect('watching' in new TTLCacheService({ name: 'test', source: { fetchOne: async () => 'a' } }).status()).toBe(
      false,
    );
    expect(source.watching).toBe(0);
  });
});

test('a watch that was lost and does not end keeps no process alive; one that is stopped does, as stop waits for it', async () => {
  const clock = new SteadyClock();
  const lost: ((error: unknown) => void)[] = [];
  const source: Source<string> = {
    fetchOne: async () => 'a',
    watch: async (_, context) => {
      lost.push(context.lost);
      return () => new Promise(() => undefined);
    },
  };
  const cache = new TTLCacheService<string>({ name: 'test', source, clock, timeout: '1s' });
  await cache.start();
  await settle();
  lost[0]!(new Error('cut'));
  await settle();
  expect(clock.keepAliveTimers).toBe(0);
  await clock.advance('10s');
  expect(lost).toHaveLength(2);
  const stopped = cache.stop();
  expect(clock.keepAliveTimers).toBe(1);
  await clock.advance('1s');
  await stopped;
  expect(clock.pendingTimers).toBe(0);
});
