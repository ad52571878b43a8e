/** One pending timer that always stands at the earliest moment something falls due. */
import type { Clock } from './clock.ts';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #pending: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings once just after `at` (what is due AT a moment is due after it); Infinity: not at all. */
  set(at: number): void {
    // One that comes early finds nothing due and is set again: cheaper than a new timer for each change.
    if (this.#pending !== undefined && this.#pending.at <= at && at !== Number.POSITIVE_INFINITY) return;
    this.#pending?.cancel();
    this.#pending = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const ring = (): void => {
      this.#pending = undefined;
      this.#ring();
    };
    this.#pending = { at, cancel: this.#clock.setTimer(ring, Math.max(0, at - this.#clock.now()) + 1) };
  }
}
