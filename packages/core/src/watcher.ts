/**
 * Keeps the source's watch standing: sets it up, sets it up again when it failed or died, and nudges when it stands,
 * since something may have changed in between.
 *
 *     connecting ──stands──▶ standing ──lost──▶ waiting ──timer, or the source is back──▶ connecting
 *     connecting ──failed, or too slow──▶ waiting
 *
 * That it does not stand is said once, however often it is tried, until it has stood for a while.
 *
 * It obeys the breaker, so that a source that is down is left alone, but does not count towards it: reads must go on
 * where only the watch fails.
 */
import { fullJitter, MAX_BACKOFF_MS } from './backoff.ts';
import type { Breaker } from './breaker.ts';
import type { Clock } from './clock.ts';
import { CacheError } from './errors.ts';
import { waitWithin } from './patience.ts';
import { said } from './said.ts';
import type { Source } from './source.ts';
import type { SourceCalls } from './source-calls.ts';

type Unwatch = () => Promise<void>;

/** One watch, from its request to its end. */
interface Attempt {
  readonly controller: AbortController;
  over: boolean;
  unwatch: Unwatch | undefined;
  standsSince: number | undefined;
  cancelDeadline: () => void;
}

interface WatcherOptions {
  readonly name: string;
  readonly source: Source<unknown>;
  readonly clock: Clock;
  readonly breaker: Breaker;
  readonly calls: SourceCalls;
  /** Milliseconds in which a watch has to stand, and to end. */
  readonly timeout: number;
  readonly nudge: (reason: string) => void;
  readonly onError: (error: CacheError) => void;
}

export class Watcher {
  readonly #options: WatcherOptions;
  #active = false;
  #attempt: Attempt | undefined;
  #failures = 0;
  /** It has been said that it does not stand. */
  #isMissed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** `undefined`: the source has none. */
  get stands(): boolean | undefined {
    return this.#options.source.watch && this.#attempt?.standsSince !== undefined;
  }

  start(): void {
    if (this.#options.source.watch === undefined) return;
    this.#active = true;
    this.#isMissed = false;
    this.#failures = 0;
    this.#connect();
  }

  /** Resolves when the watch has ended, or has had the time to. */
  async stop(): Promise<void> {
    this.#active = false;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const attempt = this.#attempt;
    if (attempt !== undefined)
      await this.#end(attempt, this.#options.calls.error('stopped', 'the watch was stopped'), true);
  }

  /** The source is back: no need to wait any longer. */
  recovered(): void {
    if (this.#cancelRetry === undefined) return;
    this.#cancelRetry();
    this.#connect();
  }

  #connect(): void {
    const { source, clock, breaker, calls, timeout, nudge } = this.#options;
    this.#cancelRetry = undefined;
    if (!this.#active) return;
    if (breaker.state !== 'closed') {
      this.#retry();
      return;
    }
    const attempt: Attempt = {
      controller: new AbortController(),
      over: false,
      unwatch: undefined,
      standsSince: undefined,
      cancelDeadline: () => undefined,
    };
    this.#attempt = attempt;
    attempt.cancelDeadline = clock.setTimer(
      () => this.#lost(attempt, calls.error('source-timeout', `the watch did not stand within ${timeout} ms`)),
      timeout,
    );
    const lost = (cause: unknown): void => {
      if (!attempt.over) this.#lost(attempt, this.#failed(cause));
    };
    const ring = (): void => {
      if (!attempt.over) nudge('nudge');
    };
    const context = { signal: attempt.controller.signal, reason: 'watch', lost };
    const connected = (async () => source.watch!(ring, context))();
    connected.then((unwatch) => this.#stand(attempt, unwatch), lost);
  }

  #stand(attempt: Attempt, unwatch: Unwatch): void {
    attempt.unwatch = unwatch;
    if (attempt.over) {
      // Too late: nobody waits for it any more, but it must not be left standing.
      void this.#unwatch(attempt, false);
      return;
    }
    attempt.cancelDeadline();
    attempt.standsSince = this.#options.clock.now();
    this.#options.nudge('watch');
  }

  #lost(attempt: Attempt, error: CacheError): void {
    const { clock, onError } = this.#options;
    // One that stands and dies at once is no success.
    const { standsSince } = attempt;
    if (standsSince !== undefined && clock.now() - standsSince >= MAX_BACKOFF_MS) {
      this.#failures = 0;
      this.#isMissed = false;
    }
    void this.#end(attempt, error, false);
    this.#retry();
    if (this.#isMissed) return;
    this.#isMissed = true;
    onError(error);
  }

  #retry(): void {
    const { clock, breaker } = this.#options;
    const delay = Math.max(fullJitter(this.#failures, clock.random()), breaker.retryInMs);
    this.#failures += 1;
    this.#cancelRetry = clock.setTimer(() => this.#connect(), delay);
  }

  async #end(attempt: Attempt, reason: CacheError, awaited: boolean): Promise<void> {
    attempt.over = true;
    attempt.cancelDeadline();
    attempt.controller.abort(reason);
    this.#attempt = undefined;
    await this.#unwatch(attempt, awaited);
  }

  async #unwatch({ unwatch }: Attempt, awaited: boolean): Promise<void> {
    const { clock, calls, timeout, onError } = this.#options;
    if (unwatch === undefined) return;
    try {
      await waitWithin((async () => unwatch())(), clock, {
        timeout,
        keepAlive: awaited,
        onTimeout: () => calls.error('source-timeout', `the watch did not end within ${timeout} ms`),
        onAbort: () => calls.error('aborted', 'the caller gave up'),
      });
    } catch (cause) {
      onError(this.#failed(cause));
    }
  }

  #failed(cause: unknown): CacheError {
    if (CacheError.isInstance(cause) && cause.cache === this.#options.name) return cause;
    return this.#options.calls.error('source-failed', `the watch failed: ${said(cause)}`, { cause });
  }
}
