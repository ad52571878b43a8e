/** Time in the hand of a history: it passes only when a step says so, and never by itself. */
import type { Clock } from '../src/clock.ts';

interface Timer {
  readonly run: () => void;
  readonly at: number;
}

/** Lets everything happen that waits for nothing but its turn. */
export function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class HistoryClock implements Clock {
  readonly #chance: number;
  readonly #timers = new Set<Timer>();
  readonly #started = Date.UTC(2026, 0, 1);
  #now = 1_000;
  #jumped = 0;

  constructor(chance: number) {
    this.#chance = chance;
  }

  now(): number {
    return this.#now;
  }

  /** What `Date.now()` would say: it may jump, the other must not follow. */
  wall(): number {
    return this.#started + this.#now + this.#jumped;
  }

  jumpWall(ms: number): void {
    this.#jumped += ms;
  }

  /** Constant, so that every wait that has chance in it can be foretold. */
  random(): number {
    return this.#chance;
  }

  setTimer(run: () => void, delayMs: number): () => void {
    const timer = { run, at: this.#now + Math.max(0, delayMs) };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** When the timers are due, the earliest first. */
  dueTimes(): number[] {
    return [...this.#timers].map(({ at }) => at).sort((a, b) => a - b);
  }

  /** Time passes until then: what falls due fires, each at its time. */
  async passTo(until: number): Promise<void> {
    // A timer never comes before what is ready to run.
    await drain();
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await drain();
    }
    this.#now = Math.max(this.#now, until);
  }

  /** The process stands still: time passes, nothing fires. What fell due fires at the next `passTo`. */
  async suspend(ms: number): Promise<void> {
    await drain();
    this.#now += ms;
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined;
    // A Set keeps the order in which the timers were set: of two that are due together, the older one comes first.
    for (const timer of this.#timers) if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
    return next;
  }
}
