/**
 * Time and chance in the hand of the kit: Date, performance.now(), os.uptime(), timers and Math.random() of the whole
 * process are replaced before a contender is imported. So an hour passes at once, and every run is like the last.
 *
 * Three clocks, because machines have three: the wall clock (Date) can be set; the monotonic one (performance.now(),
 * timers) stands still while a machine is suspended; the uptime never does either. Promises and setImmediate() stay real.
 */
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { createRandom } from '../random.ts';

interface Timer {
  readonly run: () => void;
  at: number;
  readonly everyMs: number | undefined;
}

/** What Node makes of a delay that is longer (24.8 days): 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;
/** So many turns of the event loop let everything happen that needs no time to pass. */
const SETTLE_TURNS = 10;

const { setImmediate } = globalThis;

/** Lets everything happen that needs no time to pass. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Waits for what takes real time, such as files, while fake time stands still. */
export async function settleReally(isDone: () => boolean, limitMs = 5_000): Promise<void> {
  // Not replaced, unlike performance.now().
  const end = process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n;
  while (!isDone() && process.hrtime.bigint() < end) await settle();
}

class FakeTime {
  readonly #timers = new Map<number, Timer>();
  #monotonic = 1_000;
  #suspended = 0;
  #wallAtStart = Date.now();
  #lastId = 0;
  #fired = 0;

  /** Milliseconds on the monotonic clock. */
  now(): number {
    return this.#monotonic;
  }

  /** Timers that have fired since the process began. */
  get fired(): number {
    return this.#fired;
  }

  /** Timers that wait for their time. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Lets time pass, from timer to timer. `stepMs` is the shortest step: what is due sooner fires late, as on a busy
   * machine, so that years do not take minutes.
   */
  async pass(ms: number, stepMs = 0): Promise<void> {
    await settle();
    const end = this.#monotonic + ms;
    while (this.#monotonic < end) {
      const due = Math.min(...[...this.#timers.values()].map((timer) => timer.at));
      this.#monotonic = Math.min(end, Math.max(due, this.#monotonic + stepMs));
      this.#fireDue();
      await settle();
    }
  }

  /** Somebody, or NTP, sets the wall clock. */
  setWall(byMs: number): void {
    this.#wallAtStart += byMs;
  }

  /** The machine sleeps: wall clock and uptime go on, the monotonic clock and the timers do not. */
  suspend(ms: number): void {
    this.#suspended += ms;
  }

  /** Replaces time for the whole process. */
  install(): void {
    const wall = (): number => this.#wallAtStart + this.#monotonic + this.#suspended;
    Date.now = wall;
    // A proxy, so that what it makes are dates like any other: clones of them are equal.
    const FakeDate = new Proxy(Date, {
      construct: (target, given) => Reflect.construct(target, given.length === 0 ? [wall()] : given) as Date,
    });
    const setTimeout = (run: () => void, delay?: number, ...given: unknown[]): object =>
      this.#add(run, delay, false, given);
    const setInterval = (run: () => void, delay?: number, ...given: unknown[]): object =>
      this.#add(run, delay, true, given);
    const clear = (timer: unknown): void => {
      this.#timers.delete(Number(timer));
    };
    const faked = { setTimeout, setInterval, clearTimeout: clear, clearInterval: clear };
    Object.assign(globalThis, { Date: FakeDate }, faked);
    Object.assign(timers, faked);
    Object.assign(timersPromises, {
      setTimeout: (ms?: number, value?: unknown) =>
        new Promise((resolve) => {
          setTimeout(() => resolve(value), ms);
        }),
    });
    Object.assign(AbortSignal, { timeout: (ms: number) => abortAfter(ms) });
    Object.assign(os, { uptime: () => (this.#monotonic + this.#suspended) / 1_000 });
    syncBuiltinESMExports();
    performance.now = () => this.#monotonic;
    Math.random = createRandom(1);
  }

  #fireDue(): void {
    for (const [id, timer] of [...this.#timers].sort(([, a], [, b]) => a.at - b.at)) {
      if (timer.at > this.#monotonic || !this.#timers.has(id)) continue;
      if (timer.everyMs === undefined) this.#timers.delete(id);
      else timer.at = this.#monotonic + timer.everyMs;
      this.#fired += 1;
      timer.run();
    }
  }

  #add(run: (...given: unknown[]) => void, delay: number | undefined, repeats: boolean, given: unknown[]): object {
    this.#lastId += 1;
    const id = this.#lastId;
    const ms = delay !== undefined && delay >= 1 && delay <= LONGEST_DELAY_MS ? Math.trunc(delay) : 1;
    const timer = { run: () => run(...given), at: this.#monotonic + ms, everyMs: repeats ? ms : undefined };
    this.#timers.set(id, timer);
    const handle = {
      ref: () => handle,
      unref: () => handle,
      hasRef: () => true,
      refresh: () => {
        timer.at = this.#monotonic + ms;
        this.#timers.set(id, timer);
        return handle;
      },
      close: () => this.#timers.delete(id),
      [Symbol.toPrimitive]: () => id,
      [Symbol.dispose]: () => this.#timers.delete(id),
    };
    return handle;
  }
}

/** AbortSignal.timeout() keeps its time in Node itself. */
function abortAfter(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
  return controller.signal;
}

export const time: FakeTime = new FakeTime();
