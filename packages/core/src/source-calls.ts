/**
 * Every call to a source goes through here: a ticket, a deadline, an AbortSignal, the breaker, the counters. A call
 * that is past its deadline has lost its place and its right to write, whatever it still answers.
 */
import type { Breaker, Pass } from './breaker.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import { CacheError, type CacheErrorCode, type CacheErrorDetails } from './errors.ts';
import type { Fence } from './fence.ts';
import { said } from './said.ts';
import type { FetchContext } from './source.ts';

/** What is known of the request an answer belongs to. */
export interface Sent {
  readonly ticket: number;
  /** On the cache's clock. */
  readonly at: number;
}

export interface SourceCall<R, A> {
  readonly reason: string;
  readonly timeout: number;
  /** Somebody awaits the answer: its deadline keeps the process alive. */
  readonly awaited: boolean;
  /** Be the breaker's probe without waiting for its time. */
  readonly insist?: boolean;
  /** It asks only for what the source has kept: whatever comes of it says nothing about the source. */
  readonly ofKept?: boolean;
  readonly key?: string;
  readonly request: (context: FetchContext, sent: Sent) => Promise<R>;
  /** Runs at once when the answer has come in time, while the ticket still counts. */
  readonly apply: (answer: R, sent: Sent) => A;
}

/** For calls that are none of the breaker's business. */
const NO_PASS: Pass = { succeeded: () => undefined, failed: () => undefined, abandoned: () => undefined };

interface SourceCallsOptions {
  readonly cache: string;
  readonly clock: Clock;
  readonly breaker: Breaker;
  readonly fence: Fence;
  readonly counters: Counters;
  /** The last call failed for want of the source, or did not. */
  readonly onOutage: (outage: boolean) => void;
  readonly onError: (error: CacheError) => void;
}

export class SourceCalls {
  readonly #options: SourceCallsOptions;
  readonly #underWay = new Set<(error: CacheError) => void>();
  #stopped = false;

  constructor(options: SourceCallsOptions) {
    this.#options = options;
  }

  /** The name of the cache they are made for. */
  get cache(): string {
    return this.#options.cache;
  }

  start(): void {
    this.#stopped = false;
  }

  /** Ends all calls under way with `stopped`, and refuses new ones. */
  stop(): void {
    this.#stopped = true;
    for (const end of [...this.#underWay]) end(this.error('stopped', 'stopped while the source was being asked'));
  }

  error(
    code: CacheErrorCode,
    message: string,
    details: Pick<CacheErrorDetails, 'key' | 'cause' | 'partial'> = {},
  ): CacheError {
    return new CacheError({ code, cache: this.cache, message, ...details });
  }

  /** From `stop` to the next `start`. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** The source is failing or the cache is stopped: no call would be made now, but for a probe. */
  get areRefused(): boolean {
    return this.#stopped || this.#options.breaker.state !== 'closed';
  }

  run<R, A>(call: SourceCall<R, A>): Promise<A> {
    const { breaker, fence, clock, counters } = this.#options;
    if (this.#stopped) return Promise.reject(this.error('stopped', 'the cache is stopped', { key: call.key }));
    const pass = call.ofKept === true ? NO_PASS : breaker.enter(call.insist === true);
    if (pass === undefined) {
      return Promise.reject(
        this.error('breaker-open', 'the source is failing and is not asked for now', { key: call.key }),
      );
    }
    if (pass !== NO_PASS) counters.sourceCalls += 1;
    const sent: Sent = { ticket: fence.open(), at: clock.now() };
    const controller = new AbortController();

    return new Promise<A>((resolve, reject) => {
      let over = false;
      const end = (): boolean => {
        if (over) return false;
        over = true;
        cancelDeadline();
        this.#underWay.delete(stop);
        return true;
      };
      const fail = (error: CacheError, judge: () => void): void => {
        if (!end()) return;
        fence.close(sent.ticket);
        controller.abort(error);
        judge();
        reject(error);
      };
      const stop = (error: CacheError): void => fail(error, () => pass.abandoned());
      const cancelDeadline = clock.setTimer(
        () => {
          const error = this.error('source-timeout', `the source did not answer within ${call.timeout} ms`, {
            key: call.key,
          });
          fail(error, () => this.#failed(pass, error, false));
        },
        call.timeout,
        call.awaited,
      );
      this.#underWay.add(stop);

      const answered = (answer: R): void => {
        if (!end()) return;
        try {
          const applied = call.apply(answer, sent);
          this.#succeeded(pass);
          resolve(applied);
        } catch (error) {
          this.#succeeded(pass);
          reject(this.#toCacheError(error, call.key));
        } finally {
          fence.close(sent.ticket);
        }
      };
      const refused = (cause: unknown): void => {
        const error = this.#toCacheError(cause, call.key);
        fail(error, () => this.#failed(pass, error, isReachable(cause)));
      };
      try {
        call.request({ signal: controller.signal, reason: call.reason }, sent).then(answered, refused);
      } catch (error) {
        refused(error);
      }
    });
  }

  #succeeded(pass: Pass): void {
    if (pass === NO_PASS) return;
    pass.succeeded();
    this.#options.onOutage(false);
  }

  #failed(pass: Pass, error: CacheError, reachable: boolean): void {
    if (pass !== NO_PASS) {
      this.#options.counters.sourceFailures += 1;
      // A source that says what is wrong with the request is up.
      if (reachable) pass.succeeded();
      else pass.failed();
      this.#options.onOutage(!reachable);
    }
    this.#options.onError(error);
  }

  #toCacheError(cause: unknown, key: string | undefined): CacheError {
    if (CacheError.isInstance(cause) && cause.cache === this.cache) return cause;
    return this.error('source-failed', `the source failed: ${said(cause)}`, { key, cause });
  }
}

/** Bad rows and refused requests say nothing about an outage: see `Source`. */
function isReachable(error: unknown): boolean {
  if (CacheError.isInstance(error))
    return error.code === 'invalid-snapshot' && isReachable(error.cause ?? { reachable: true });
  try {
    return typeof error === 'object' && error !== null && 'reachable' in error && error.reachable === true;
  } catch {
    // It cannot even be looked at.
    return false;
  }
}
