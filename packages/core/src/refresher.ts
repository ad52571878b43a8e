/**
 * When to refresh: on a timer, at a nudge, on demand, after a failure. Sees rounds only as something that gives a
 * report. Any number of refreshes and nudges is at most one running and one waiting:
 *
 *     refresh ──▶ running ───────────▶ report
 *     refresh ──▶   waiting ─────┐  └▶ running ──▶ report
 *     nudge   ──▶   (joins it) ──┘
 *
 * The waiting one starts after everybody who waits for it has asked, so its request was sent after that. Dry runs share
 * a turn of their own, before it or behind it: together, one that wants to see everything would widen another that
 * changes what it reads.
 */
import { fullJitter } from './backoff.ts';
import { Brake } from './brake.ts';
import type { Clock } from './clock.ts';
import { EVERYTHING, type RoundRequest } from './round.ts';
import type { RefreshReport } from './status.ts';

interface RefresherOptions {
  readonly clock: Clock;
  /** Between two refreshes, at most; `undefined`: no timer. */
  readonly interval: number | undefined;
  readonly runRound: (request: RoundRequest) => Promise<RefreshReport>;
  readonly isWhole: (request: RoundRequest) => boolean;
  /** Milliseconds before which the breaker lets nobody through. */
  readonly breakerRetryInMs: () => number;
}

interface Running {
  /** It reads everything, and whoever asks meanwhile may join it. */
  whole: boolean;
  /** Somebody waits for it, or for the one after it. */
  awaited: boolean;
  readonly report: Promise<RefreshReport>;
}

interface Waiting extends PromiseWithResolvers<RefreshReport> {
  request: Omit<RoundRequest, 'keys'>;
  /** A set, so that a flood of nudges costs what its different keys cost. */
  readonly keys: Set<string>;
}

/** A round has no length known before; so the timer that keeps the process alive meanwhile is set again and again. */
const HOLD_MS = 1_000;
/** A refresh comes at 80 to 100 % of its interval, so that instances do not stay in step. */
const JITTER_SHARE = 0.2;

export class Refresher {
  readonly #options: RefresherOptions;
  #active = false;
  #running: Running | undefined;
  /** In the order in which they were asked for: at most one that is real and one that is not. */
  readonly #waiting: Waiting[] = [];
  readonly #brake: Brake;
  #failures = 0;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(options: RefresherOptions) {
    this.#options = options;
    // Only where there is an interval is there anything to be read as a whole.
    const { clock, interval: longest = 0 } = options;
    this.#brake = new Brake({ clock, longest, pass: (reason) => this.nudge(reason) });
  }

  /** Is it seen to, by a timer, that what is held stays true? */
  get keepsTrue(): boolean {
    return this.#active && this.#options.interval !== undefined;
  }

  get nextInMs(): number | undefined {
    return this.#timer && Math.max(0, this.#timer.at - this.#options.clock.now());
  }

  /** The refresh of everything that is under way, to be awaited. */
  joinWhole(): Promise<RefreshReport> | undefined {
    if (!this.#running?.whole) return undefined;
    this.#keepAlive(this.#running);
    return this.#running.report;
  }

  /** `now`: the caller sees to the first refresh. */
  start(first: 'now' | 'later'): void {
    this.#active = true;
    this.#failures = 0;
    // Of the life before, or asked for while stopped: it ends as stopped, perhaps only now, so nobody joins it.
    if (this.#running !== undefined) this.#running.whole = false;
    if (first === 'later') this.#planNext();
  }

  stop(): void {
    this.#active = false;
    this.#cancelTimer();
    this.#brake.lift();
  }

  /** A nudge of the source's watch: one that may have to wait. */
  ring(reason: string): void {
    this.#brake.ring(reason);
  }

  /** Refreshes soon, if it is this refresher's business at all. */
  nudge(reason: string, keys?: readonly string[]): void {
    if (!this.#active) return;
    const whole = keys === undefined;
    void this.refresh({ ...EVERYTHING, reason, whole, keys: keys ?? [], awaited: false });
  }

  /** The source is back: what may have changed meanwhile is read, unless that is just what happens. */
  recovered(): void {
    if (!this.#running?.whole) this.nudge('recovered');
  }

  /** A refresh whose requests are sent after this call. */
  refresh(request: RoundRequest): Promise<RefreshReport> {
    if (this.#running === undefined) return this.#run(request);
    if (request.awaited) this.#keepAlive(this.#running);
    let waiting = this.#waiting.find(({ request: { dryRun } }) => dryRun === request.dryRun);
    if (waiting === undefined) {
      waiting = { request, keys: new Set(request.keys), ...Promise.withResolvers<RefreshReport>() };
      this.#waiting.push(waiting);
    } else {
      waiting.request = merge(waiting.request, request);
      for (const key of request.keys) waiting.keys.add(key);
    }
    return waiting.promise;
  }

  async #run(request: RoundRequest): Promise<RefreshReport> {
    const whole = this.#options.isWhole(request) && !request.dryRun;
    if (whole) this.#brake.begins();
    this.#running = { whole, awaited: request.awaited, report: this.#options.runRound(request) };
    const report = await this.#running.report;
    // While it still counts as running: a ring that is let go now joins the one that waits.
    if (!request.dryRun) this.#planAfter(report, whole);
    this.#running = undefined;
    this.#runNext();
    return report;
  }

  /**
   * To be called in the very step in which another has ended, or somebody slips in between:
   *
   *     running ends ──▶ a fetch that waited for it asks for another ──▶ the one that waits starts: two at once
   */
  #runNext(): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    // Who awaits the one behind it awaits this one, too.
    const awaited = [next, ...this.#waiting].some(({ request }) => request.awaited);
    next.resolve(this.#run({ ...next.request, keys: [...next.keys], awaited }));
  }

  /** The deadlines of a round that nobody awaited keep no process alive, but now somebody does. */
  #keepAlive(running: Running): void {
    if (running.awaited) return;
    running.awaited = true;
    let cancel = (): void => undefined;
    const hold = (): void => {
      cancel = this.#options.clock.setTimer(hold, HOLD_MS, true);
    };
    hold();
    void running.report.finally(() => cancel());
  }

  #planAfter(report: RefreshReport, whole: boolean): void {
    const { clock, interval, breakerRetryInMs } = this.#options;
    const { outcome } = report;
    if (!this.#active || interval === undefined || outcome === 'stopped') return;
    if (whole) this.#brake.ended(report);
    if (outcome === 'failed') {
      const delay = Math.max(fullJitter(this.#failures, clock.random()), breakerRetryInMs());
      this.#failures += 1;
      this.#plan(delay);
      return;
    }
    // A round over some keys confirms nothing of the others: their refresh comes when it was due.
    if (!whole && this.#timer !== undefined) return;
    this.#failures = 0;
    this.#planNext();
  }

  #planNext(): void {
    const { clock, interval } = this.#options;
    if (interval !== undefined) this.#plan(interval * (1 - JITTER_SHARE * clock.random()));
  }

  #plan(delay: number): void {
    this.#cancelTimer();
    const { clock } = this.#options;
    const run = (): void => {
      this.#timer = undefined;
      this.nudge('interval');
    };
    this.#timer = { at: clock.now() + delay, cancel: clock.setTimer(run, delay) };
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** One request that does for two of a kind, but for their keys. */
function merge(a: Waiting['request'], b: Waiting['request']): Waiting['request'] {
  return {
    reason: a.reason,
    whole: a.whole || b.whole,
    full: a.full || b.full,
    dryRun: a.dryRun,
    awaited: a.awaited || b.awaited,
    insist: a.insist || b.insist,
  };
}
