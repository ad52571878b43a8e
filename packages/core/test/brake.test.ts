import { describe, expect, test } from 'vitest';
import type { SourceMethod } from '../testing/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { type SetUp, setUp } from './support/set-up.ts';
import { ROWS } from './support/watched.ts';

expectNoUnhandledRejections();

const FOLLOWED: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchChanges', 'watch'];

interface Followed extends SetUp<string> {
  /** When everything was read, in milliseconds since now. */
  readonly loads: number[];
  /** Does the source answer 'resync'? */
  resyncs: boolean;
}

/** A cache that was just loaded, and whose timer is far away. */
async function started(refreshInterval = 3_600_000): Promise<Followed> {
  const set = { ...setUp({ methods: FOLLOWED, rows: ROWS, refreshInterval, ttl: '3h' }), loads: [], resyncs: true };
  const followed: Followed = set;
  await followed.cache.start();
  await settle();
  const since = followed.clock.now();
  followed.source.behave((_, method) => {
    if (method === 'fetchAll') followed.loads.push(followed.clock.now() - since);
    return method === 'fetchChanges' && followed.resyncs ? 'resync' : 'answer';
  });
  return followed;
}

/** Rings each 50 ms from now on, however long the test lets time pass. */
function ringAllTheTime({ clock, source }: Followed): void {
  source.nudge();
  const again = (): void => {
    source.nudge();
    clock.setTimer(again, 50);
  };
  clock.setTimer(again, 50);
}

/** Rings until rings have to wait: for a second, from now. */
async function untilRingsWait({ source }: Followed): Promise<void> {
  for (const _ of ['first', 'second']) {
    source.nudge();
    await settle();
  }
}

describe('a source that rings each 50 ms and answers each time that everything has to be read', () => {
  test('is read at once twice, then after pauses that double up to the refresh interval', async () => {
    const followed = await started(40_000);
    ringAllTheTime(followed);
    await followed.clock.advance('4m');
    const pauses = followed.loads.map((at, index) => at - (followed.loads[index - 1] ?? 0));
    expect(pauses.slice(0, 8)).toEqual([0, 50, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
    // Here the timer comes first, after 80 to 100 % of the interval.
    expect(pauses.slice(8)).toEqual([36_000, 36_000, 36_000, 36_000]);
    await followed.cache.stop();
  });

  test('is read at most 20 times in ten minutes where the timer would read it 12 times', async () => {
    const followed = await started(60_000);
    ringAllTheTime(followed);
    await followed.clock.advance('10m');
    expect(followed.loads.length).toBeLessThanOrEqual(20);
    expect(followed.cache.status()).toMatchObject({ state: 'live', lastRefresh: { reason: 'resync' } });
    await followed.cache.stop();
  });

  test('is not read again at the end of a load for the rings that came meanwhile', async () => {
    const followed = await started();
    const { source, clock, loads, calls } = followed;
    const held = async (): Promise<void> => {
      source.behave((_, method) => {
        if (method !== 'fetchAll') return 'resync';
        loads.push(clock.now());
        return 'hold';
      });
      source.nudge();
      await settle();
    };
    await untilRingsWait(followed);
    await held();
    await clock.advance(1_000);
    expect(loads).toHaveLength(3);
    source.nudge();
    await clock.advance('5s');
    calls.at(-1)!.answer();
    await clock.advance(1_999);
    expect(loads).toHaveLength(3);
    await clock.advance(1);
    expect(loads).toHaveLength(4);
    await followed.cache.stop();
  });
});

describe('a ring', () => {
  test('is acted upon at once after one resync, and again after the next, where deltas go on in between', async () => {
    const followed = await started();
    const { source, cache } = followed;
    for (const [round, resyncs] of [true, false, true, false, false, true, false].entries()) {
      followed.resyncs = resyncs;
      source.rows.set('a', `new ${round}`);
      source.nudge();
      await settle();
      expect(cache.get('a')).toBe(`new ${round}`);
    }
    expect(followed.loads).toEqual([0, 0, 0]);
    await cache.stop();
  });

  test('that waits is one refresh at the end of the pause, however many there were', async () => {
    const followed = await started();
    const { source, cache, clock, calls } = followed;
    await untilRingsWait(followed);
    const before = calls.length;
    source.rows.set('a', 'new');
    for (let ring = 0; ring < 100; ring += 1) source.nudge();
    await clock.advance(999);
    expect([calls.length, cache.get('a')]).toEqual([before, 'a']);
    await clock.advance(1);
    expect(calls.slice(before).map(({ method }) => method)).toEqual(['fetchChanges', 'fetchAll']);
    expect(cache.get('a')).toBe('new');
    await clock.advance('1h');
    expect(followed.loads).toEqual([0, 0, 1_000, expect.any(Number)]);
    await cache.stop();
  });

  test('waits no more as soon as a delta goes on', async () => {
    const followed = await started();
    const { source, cache, clock } = followed;
    await untilRingsWait(followed);
    source.nudge();
    followed.resyncs = false;
    await clock.advance(1_000);
    for (const value of ['one', 'two', 'three']) {
      source.rows.set('a', value);
      source.nudge();
      await settle();
      expect(cache.get('a')).toBe(value);
    }
    followed.resyncs = true;
    await untilRingsWait(followed);
    expect(followed.loads).toEqual([0, 0, 1_000, 1_000]);
    await cache.stop();
  });

  test('that waits delays no refresh that is asked for, which does for the ring, too', async () => {
    const followed = await started();
    const { source, cache, clock, calls } = followed;
    await untilRingsWait(followed);
    source.nudge();
    source.rows.set('a', 'new');
    expect(await cache.refresh()).toMatchObject({ reason: 'resync', updated: 1 });
    const before = calls.length;
    await clock.advance('1m');
    expect(calls.length).toBe(before);
    // A ring after that waits for the next pause.
    await cache.refresh();
    source.nudge();
    await clock.advance(3_999);
    expect(followed.loads).toHaveLength(4);
    await clock.advance(1);
    expect(followed.loads).toHaveLength(5);
    await cache.stop();
  });

  test('waits neither more nor less after what only was tried, or read some keys', async () => {
    const followed = await started();
    const { source, cache, clock } = followed;
    await untilRingsWait(followed);
    source.nudge();
    source.rows.set('a', 'new');
    await cache.refresh({ dryRun: true });
    await cache.refresh({ keys: ['b'] });
    await clock.advance(999);
    expect(cache.get('a')).toBe('a');
    await clock.advance(1);
    expect(cache.get('a')).toBe('new');
    await cache.stop();
  });

  test('that comes during a refresh joins the one that waits, as ever', async () => {
    const followed = await started();
    const { source, cache, calls } = followed;
    source.nudge();
    await settle();
    source.behave('hold');
    const before = calls.length;
    const first = cache.refresh();
    const second = cache.refresh();
    source.nudge();
    calls.at(-1)!.answer();
    await first;
    await settle();
    expect(calls.length).toBe(before + 2);
    source.behave('answer');
    calls.at(-1)!.answer();
    await second;
    await settle();
    expect(calls.length).toBe(before + 2);
    await cache.stop();
  });

  test('waits for no longer than this life', async () => {
    const followed = await started();
    const { source, cache, clock } = followed;
    await untilRingsWait(followed);
    source.nudge();
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
    await cache.start();
    await settle();
    source.rows.set('a', 'new');
    source.nudge();
    await settle();
    expect(cache.get('a')).toBe('new');
    await cache.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
