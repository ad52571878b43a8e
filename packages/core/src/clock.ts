/**
 * Time, timers and chance as one port, so that tests can hold all three in the hand. Owns nothing of the cache.
 */
import { uptime } from 'node:os';

export interface Clock {
  /** Milliseconds on a monotonic clock. Wall-clock jumps do not move it; time spent suspended counts. */
  now(): number;
  /**
   * Runs `run` once, not before `delayMs` have passed; any finite delay works. The process may end before, unless
   * `keepAlive` is true. Returns a function that cancels.
   */
  setTimer(run: () => void, delayMs: number, keepAlive?: boolean): () => void;
  /** A number in [0, 1), for jitter. */
  random(): number;
}

/** Node's setTimeout fires at once for anything longer (24.8 days). */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
const HEARTBEAT_MS = 1_000;
/** Less than this is noise of the two readings. */
const SHORTEST_SUSPEND_MS = 2_000;

interface Timer {
  readonly run: () => void;
  readonly at: number;
  readonly keepAlive: boolean;
  handle: NodeJS.Timeout | undefined;
}

/** The two readings whose drift tells of a suspended machine. */
interface Readings {
  /** Monotonic, may stand still while the machine is suspended (CLOCK_MONOTONIC on Linux). */
  readonly monotonic: () => number;
  /** Since boot, goes on while the machine is suspended. Coarse. */
  readonly sinceBoot: () => number;
}

/**
 * The real clock. `performance.now()` does not count the time a Linux machine was suspended, so a heartbeat (one for
 * the process, only while a timer is pending) compares it with the uptime and adds what is missing. Globals are looked
 * up at each call, never captured, so that fake timers installed later work.
 */
export class SystemClock implements Clock {
  readonly #readings: Readings;
  readonly #timers = new Set<Timer>();
  #suspendedMs = 0;
  #drift: number;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(readings: Readings = { monotonic: () => performance.now(), sinceBoot: () => uptime() * 1_000 }) {
    this.#readings = readings;
    this.#drift = readings.sinceBoot() - readings.monotonic();
  }

  now(): number {
    // No timer, no heartbeat: look here, else a suspend would be noticed in the middle of the first call after it.
    if (this.#heartbeat === undefined) this.#noticeSuspend();
    return this.#readings.monotonic() + this.#suspendedMs;
  }

  random(): number {
    return Math.random();
  }

  setTimer(run: () => void, delayMs: number, keepAlive = false): () => void {
    const timer: Timer = { run, at: this.now() + delayMs, keepAlive, handle: undefined };
    this.#timers.add(timer);
    this.#arm(timer);
    this.#heartbeat ??= setInterval(() => this.#noticeSuspend(), HEARTBEAT_MS).unref();
    return () => {
      clearTimeout(timer.handle);
      this.#drop(timer);
    };
  }

  #arm(timer: Timer): void {
    const delay = Math.min(Math.max(0, Math.ceil(timer.at - this.now())), LONGEST_TIMEOUT_MS);
    timer.handle = setTimeout(() => this.#fire(timer), delay);
    if (!timer.keepAlive) timer.handle.unref();
  }

  #fire(timer: Timer): void {
    // setTimeout may fire up to a millisecond early, and a long delay comes in pieces.
    if (timer.at > this.now()) {
      this.#arm(timer);
      return;
    }
    this.#drop(timer);
    timer.run();
  }

  #drop(timer: Timer): void {
    this.#timers.delete(timer);
    if (this.#timers.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  #noticeSuspend(): void {
    const drift = this.#readings.sinceBoot() - this.#readings.monotonic();
    const missed = drift - this.#drift;
    if (missed < SHORTEST_SUSPEND_MS) {
      // Short ones add up until they are more than noise; the lowest reading is the one without noise.
      this.#drift = Math.min(this.#drift, drift);
      return;
    }
    this.#drift = drift;
    this.#suspendedMs += missed;
    for (const timer of this.#timers) {
      clearTimeout(timer.handle);
      this.#arm(timer);
    }
  }
}

/** The clock every cache uses unless told otherwise. */
export const systemClock: Clock = new SystemClock();
