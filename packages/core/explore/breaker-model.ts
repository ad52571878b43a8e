/** What a breaker has to do, seen from outside: from the ends of calls, and a chance that is always the same. */
import type { Call } from './calls.ts';
import type { HistoryClock } from './clock.ts';

const FAILURES_TO_OPEN = 3;

export class BreakerModel {
  readonly #clock: HistoryClock;
  #failures = 0;
  #openings = 0;
  /** Failures of calls up to this ticket are no news. */
  #counted = 0;
  retryAt = 0;
  probe: Call | undefined;

  constructor(clock: HistoryClock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES_TO_OPEN;
  }

  failed(call: Call, sent: number): void {
    if (this.probe === call) this.probe = undefined;
    if (call.ticket <= this.#counted) return;
    this.#counted = sent;
    this.#failures += 1;
    if (!this.isOpen) return;
    this.retryAt = this.#clock.now() + this.#clock.random() * Math.min(30_000, 200 * 2 ** this.#openings);
    this.#openings += 1;
  }

  succeeded(sent: number): void {
    this.#failures = 0;
    this.#openings = 0;
    this.#counted = sent;
    this.probe = undefined;
  }

  /** Given up for reasons that say nothing about the source. */
  abandoned(call: Call): void {
    if (this.probe === call) this.probe = undefined;
  }
}
