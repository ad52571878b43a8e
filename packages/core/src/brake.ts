/**
 * Holds rings back where every refresh ends in reading everything: a table that is truncated again and again, servers of
 * different histories that answer by turns. There, each ring would start the next such reading as soon as one has ended.
 *
 *     resync ──▶ resync ──▶ rings wait 1 s ──▶ resync ──▶ rings wait 2 s ──▶ resync ──▶ ... at most the interval
 *     a delta that goes on ──▶ no ring waits
 *
 * One resync alone delays nothing.
 */
import type { Clock } from './clock.ts';
import type { RefreshReport } from './status.ts';

const FIRST_MS = 1_000;

interface BrakeOptions {
  readonly clock: Clock;
  /** The longest pause, in milliseconds. */
  readonly longest: number;
  readonly pass: (reason: string) => void;
}

export class Brake {
  readonly #options: BrakeOptions;
  /** In a row. */
  #resyncs = 0;
  #holds = false;
  /** Why the first of the rings that are held back has rung. */
  #rung: string | undefined;
  #cancelPause: (() => void) | undefined;

  constructor(options: BrakeOptions) {
    this.#options = options;
  }

  ring(reason: string): void {
    if (this.#holds) this.#rung ??= reason;
    else this.#options.pass(reason);
  }

  /** A refresh of everything begins: it does for all who have rung so far. Whether others wait, its end will say. */
  begins(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#rung = undefined;
    this.#holds = this.#resyncs > 0;
  }

  ended({ kind, reason, outcome }: RefreshReport): void {
    const { clock, longest } = this.#options;
    if (outcome !== 'failed') {
      if (reason === 'resync') this.#resyncs += 1;
      else if (kind === 'delta') this.#resyncs = 0;
    }
    if (this.#resyncs < 2) {
      this.#letGo();
      return;
    }
    const pause = Math.min(longest, FIRST_MS * 2 ** (this.#resyncs - 2));
    this.#cancelPause = clock.setTimer(() => this.#letGo(), pause);
  }

  lift(): void {
    this.#resyncs = 0;
    this.begins();
  }

  #letGo(): void {
    const reason = this.#rung;
    this.#cancelPause = undefined;
    this.#rung = undefined;
    this.#holds = false;
    if (reason !== undefined) this.#options.pass(reason);
  }
}
