import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SystemClock, systemClock } from '../src/clock.ts';
import { TTLCacheService } from '../src/index.ts';

const DAY = 86_400_000;

/** A machine whose readings follow the fake timers, and that can be suspended. */
class Machine {
  #suspended = 0;
  /** What the coarse reading is off by. */
  noise = 0;
  readonly readings = {
    monotonic: (): number => Date.now(),
    sinceBoot: (): number => Date.now() + this.#suspended + this.noise,
  };

  /** Linux: the monotonic clock stands still, and so do the timers. */
  suspend(ms: number): void {
    this.#suspended += ms;
  }
}

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'], now: 0 });
  });
  afterEach(() => {
    const left = vi.getTimerCount();
    vi.useRealTimers();
    expect(left).toBe(0);
  });

  test('runs a timer once, not before its time, and cancels', () => {
    const clock = new SystemClock(new Machine().readings);
    const ran: string[] = [];
    clock.setTimer(() => ran.push('a'), 100.5);
    clock.setTimer(() => ran.push('soon'), -5);
    const cancel = clock.setTimer(() => ran.push('cancelled'), 50);
    cancel();
    cancel();
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['soon']);
    vi.advanceTimersByTime(99);
    expect(ran).toEqual(['soon']);
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['soon', 'a']);
    vi.advanceTimersByTime(10_000);
    expect(ran).toEqual(['soon', 'a']);
  });

  test('waits on where setTimeout fires early', () => {
    const machine = new Machine();
    let slow = 0;
    const clock = new SystemClock({ ...machine.readings, monotonic: () => Date.now() - slow });
    let ran = 0;
    clock.setTimer(() => (ran += 1), 100);
    slow = 0.4;
    vi.advanceTimersByTime(100);
    expect(ran).toBe(0);
    vi.advanceTimersByTime(1);
    expect(ran).toBe(1);
  });

  test('counts the time the machine was suspended, and runs what fell due meanwhile', () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.readings);
    const ran: string[] = [];
    clock.setTimer(() => ran.push('hour'), 3_600_000);
    const cancel = clock.setTimer(() => ran.push('day'), DAY);
    vi.advanceTimersByTime(5_000);
    machine.suspend(7_200_000);
    vi.advanceTimersByTime(1_000);
    expect(clock.now()).toBe(7_206_000);
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['hour']);
    vi.advanceTimersByTime(DAY - 7_206_002);
    expect(ran).toEqual(['hour']);
    cancel();
  });

  test('adds up suspends that are too short to be told from noise one by one', () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.readings);
    const cancel = clock.setTimer(() => undefined, DAY);
    for (let round = 1; round <= 10; round += 1) {
      vi.advanceTimersByTime(10_000);
      machine.suspend(1_500);
    }
    vi.advanceTimersByTime(2_000);
    expect(clock.now()).toBeGreaterThan(102_000 + 13_000);
    expect(clock.now()).toBeLessThanOrEqual(102_000 + 15_000);
    cancel();
  });

  test('takes no noise of the readings for a suspend, however long it goes on', () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.readings);
    const cancel = clock.setTimer(() => undefined, DAY);
    for (let round = 1; round <= 1_000; round += 1) {
      machine.noise = [0, 999, -500, 300][round % 4]!;
      vi.advanceTimersByTime(1_000);
    }
    expect(clock.now()).toBe(1_000_000);
    cancel();
  });

  test('notices a suspend while no timer was set before the next thing is timed', () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.readings);
    machine.suspend(3_600_000);
    let ran = 0;
    const before = clock.now();
    expect(before).toBe(3_600_000);
    clock.setTimer(() => (ran += 1), 10_000);
    vi.advanceTimersByTime(9_999);
    expect(ran).toBe(0);
    vi.advanceTimersByTime(1);
    expect(ran).toBe(1);
    expect(clock.now()).toBe(before + 10_000);
  });

  test('has no heartbeat while no timer is pending', () => {
    const clock = new SystemClock(new Machine().readings);
    expect(vi.getTimerCount()).toBe(0);
    const cancels = [clock.setTimer(() => undefined, DAY), clock.setTimer(() => undefined, DAY)];
    expect(vi.getTimerCount()).toBe(3);
    cancels[0]!();
    expect(vi.getTimerCount()).toBe(2);
    cancels[1]!();
  });

  test('makes entries old after a suspend', async () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.readings);
    const source = { fetchOne: async () => 'a' };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ttl: '5m' });
    await cache.fetch('a');
    machine.suspend(600_000);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(cache.get('a')).toBeUndefined();
    await cache.stop();
  });
});

describe('weeks on the system clock', () => {
  // Without the heartbeat, of which there would be millions.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 });
  });
  afterEach(() => {
    const left = vi.getTimerCount();
    vi.useRealTimers();
    expect(left).toBe(0);
  });

  test('runs timers longer than 24.8 days at their time, not at once', () => {
    const clock = new SystemClock(new Machine().readings);
    let ran = 0;
    clock.setTimer(() => (ran += 1), 60 * DAY);
    vi.advanceTimersByTime(1_000);
    expect(ran).toBe(0);
    vi.advanceTimersByTime(60 * DAY - 1_001);
    expect(ran).toBe(0);
    vi.advanceTimersByTime(1);
    expect(ran).toBe(1);
  });

  test('never runs a timer of Infinity, which can be cancelled', () => {
    const clock = new SystemClock(new Machine().readings);
    let ran = 0;
    const cancel = clock.setTimer(() => (ran += 1), Number.POSITIVE_INFINITY);
    vi.advanceTimersByTime(100 * DAY);
    expect(ran).toBe(0);
    cancel();
  });

  test('keeps entries for longer than 24.8 days', async () => {
    const clock = new SystemClock(new Machine().readings);
    const source = { fetchOne: async () => 'a' };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ttl: '40d' });
    await cache.fetch('a');
    await vi.advanceTimersByTimeAsync(40 * DAY);
    expect(cache.get('a')).toBe('a');
    await vi.advanceTimersByTimeAsync(2);
    expect(cache.get('a')).toBeUndefined();
    await cache.stop();
  });

  test('asks the system a few times, not once a key, where thousands of keys are stored and no timer is set', async () => {
    let asked = 0;
    const { readings } = new Machine();
    const sinceBoot = (): number => {
      asked += 1;
      return readings.sinceBoot();
    };
    const keys = Array.from({ length: 1_000 }, (_, index) => `${index}`);
    const fetchMany = async (): Promise<Map<string, string>> => new Map(keys.map((key) => [key, key]));
    const clock = new SystemClock({ ...readings, sinceBoot });
    const cache = new TTLCacheService<string>({ name: 'test', source: { fetchMany }, clock });
    await cache.start();
    await cache.fetchMany(keys);
    expect(cache.size).toBe(1_000);
    expect(asked).toBeLessThan(20);
    await cache.stop();
  });
});

describe('the real readings', () => {
  test('go forward, agree with setTimeout, and do not follow the wall clock', async () => {
    const before = systemClock.now();
    vi.spyOn(Date, 'now').mockReturnValue(0);
    await new Promise<void>((resolve) => systemClock.setTimer(resolve, 20, true));
    const passed = systemClock.now() - before;
    expect(passed).toBeGreaterThanOrEqual(20);
    expect(passed).toBeLessThan(2_000);
    const chance = systemClock.random();
    expect(chance >= 0 && chance < 1).toBe(true);
  });

  test('only a timer that somebody awaits keeps the process alive', () => {
    const timeouts = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timeouts();
    const background = systemClock.setTimer(() => undefined, 60_000);
    expect(timeouts()).toBe(before);
    const awaited = systemClock.setTimer(() => undefined, 60_000, true);
    expect(timeouts()).toBe(before + 1);
    background();
    awaited();
    expect(timeouts()).toBe(before);
  });
});
