import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { ON_DEMAND, type Settings, type SetUp, setUp, WITH_SNAPSHOT } from './support/set-up.ts';
import { expectStopped, listening } from './support/stopped.ts';

expectNoUnhandledRejections();

const ROWS = [
  ['a', 'a'],
  ['b', 'b'],
] as const;

describe.each(WITH_SNAPSHOT)('a first load that fails, with $shape', ({ methods }) => {
  const failing = (options: Partial<Settings<string>> = {}): SetUp<string> => {
    const set = setUp<string>({ methods, rows: ROWS, ...options });
    set.source.behave('fail');
    return set;
  };

  test('is told, and gone on with in the background', async () => {
    const set = failing();
    const errors: unknown[] = [];
    const states: unknown[] = [];
    set.cache.on('error', ({ code }) => errors.push(code));
    set.cache.on('state', ({ to }) => states.push(to));
    await set.cache.start();
    expect(set.cache.status()).toMatchObject({ state: 'degraded', size: 0, lastRefresh: { outcome: 'failed' } });
    expect(errors).toEqual(['source-failed']);
    set.source.behave('answer');
    await set.clock.advance('1m');
    expect(set.cache.get('a')).toBe('a');
    expect(states).toEqual(['starting', 'degraded', 'live']);
    await set.cache.stop();
  });

  test("is thrown with onStartFailure: 'throw', and leaves a stopped cache that can be started", async () => {
    const set = failing({ onStartFailure: 'throw' });
    const listeners = listening(set);
    const states: unknown[] = [];
    set.cache.on('state', ({ to }) => states.push(to));
    const [first, second] = [set.cache.start(), set.cache.start()];
    await expect(first).rejects.toMatchObject({ code: 'source-failed', cache: 'test' });
    await expect(second).rejects.toMatchObject({ code: 'source-failed' });
    expect(states).toEqual(['starting', 'stopped']);
    await expectStopped(set, listeners);
    set.source.behave('answer');
    await set.cache.start();
    expect(set.cache.get('a')).toBe('a');
    await set.cache.stop();
  });

  test("is quiet with onStartFailure: 'throw' if it was stopped meanwhile", async () => {
    const set = setUp<string>({ methods, rows: ROWS, onStartFailure: 'throw' });
    set.source.behave('hold');
    const started = set.cache.start();
    await settle();
    await set.cache.stop();
    await started;
    expect(set.cache.status().state).toBe('stopped');
  });

  test('that hangs does not hang the start for longer than refreshTimeout', async () => {
    const set = setUp<string>({ methods, rows: ROWS, refreshTimeout: '5s' });
    set.source.behave('hang');
    const started = set.cache.start();
    await set.clock.advance('5s');
    await started;
    expect(set.cache.status().state).toBe('degraded');
    await set.cache.stop();
  });
});

test.each(ON_DEMAND)(
  'without fetchAll a start loads nothing, whatever the source does ($shape)',
  async ({ methods }) => {
    const set = setUp<string>({ methods, rows: ROWS, onStartFailure: 'throw' });
    set.source.behave('fail');
    await set.cache.start();
    expect(set.source.count()).toBe(0);
    expect(set.cache.status().state).toBe('live');
    expect(set.clock.pendingTimers).toBe(0);
    await set.cache.stop();
  },
);
