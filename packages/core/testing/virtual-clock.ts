/** Time in the hand of a test: nothing happens until the test says how long to wait. */
import type { Clock } from '../src/clock.ts';
import { type Duration, parseDuration } from '../src/duration.ts';

interface Timer {
  readonly run: () => void;
  readonly at: number;
  readonly order: number;
  readonly keepAlive: boolean;
}

/**
 * A clock that stands still until `advance` moves it. Its wall clock runs beside it and may jump; a cache must not
 * notice. Chance is seeded, so that a run can be repeated.
 *
 * ```ts
 * const clock = new VirtualClock();
 * const cache = new TTLCacheService({ name: 'test', source, clock });
 * await clock.advance('6m'); // refreshes, expiries and deadlines of six minutes, in their order
 * clock.suspend('8h');       // the lid was closed: no timer fired
 * clock.jumpWall(-3_600_000); // somebody set the wall clock back
 * ```
 */
export class VirtualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now = 1_000;
  #wallOffset = Date.UTC(2026, 0, 1);
  #orders = 0;
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed >>> 0;
  }

  /** Monotonic, in milliseconds; moved by `advance` and `suspend` alone. */
  now(): number {
    return this.#now;
  }

  /** What a wall clock would show, in milliseconds since 1970. */
  wall(): number {
    return this.#wallOffset + this.#now;
  }

  /** Timers that are set: 0 when everything was cleaned up. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Of those: timers that would keep a process alive. */
  get keepAliveTimers(): number {
    return [...this.#timers].filter(({ keepAlive }) => keepAlive).length;
  }

  /** Fires during `advance`, in the order of the times, then in that of the setting. */
  setTimer(run: () => void, delayMs: number, keepAlive = false): () => void {
    const timer: Timer = { run, at: this.#now + Math.max(0, delayMs), order: ++this.#orders, keepAlive };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Mulberry32: small, seeded, good enough for jitter. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Lets time pass: fires what falls due, in order, and lets everything that follows from it settle. */
  async advance(duration: Duration): Promise<void> {
    const until = this.#now + toMs(duration);
    await settle();
    for (let timer = this.#nextUntil(until); timer !== undefined; timer = this.#nextUntil(until)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await settle();
    }
    this.#now = until;
    await settle();
  }

  /** The process stands still: time passes, no timer fires. The next `advance` is its waking up. */
  suspend(duration: Duration): void {
    this.#now += toMs(duration);
  }

  /** Somebody sets the wall clock, forward or back; real time does not move. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  #nextUntil(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}

/** Lets what can happen without time passing happen: three turns of the event loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function toMs(duration: Duration): number {
  const ms = parseDuration(duration);
  if (ms === undefined || !(ms >= 0 && Number.isFinite(ms))) {
    throw new TypeError(`expected a duration of 0 or more and finite, got ${String(duration)}`);
  }
  return ms;
}
