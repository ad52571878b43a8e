/** How long a caller waits for what is under way anyway. */
import type { Clock } from './clock.ts';

export interface Limits {
  readonly signal?: AbortSignal | undefined;
  /** Infinity: none. */
  readonly timeout: number;
  /** Does the deadline keep the process alive? @default true */
  readonly keepAlive?: boolean;
  /** What the wait ends with when the time is over. */
  readonly onTimeout: () => Error;
  readonly onAbort: (reason: unknown) => Error;
}

/** Waits for `promise` within the limits of one caller. The promise itself goes on. */
export function waitWithin<T>(promise: Promise<T>, clock: Clock, limits: Limits): Promise<T> {
  const { signal, timeout, keepAlive = true, onTimeout, onAbort } = limits;
  if (signal === undefined && timeout === Number.POSITIVE_INFINITY) return promise;
  if (signal?.aborted) return Promise.reject(onAbort(signal.reason));
  return new Promise((resolve, reject) => {
    const aborted = (): void => end(() => reject(onAbort(signal!.reason)));
    const cancelTimer =
      timeout === Number.POSITIVE_INFINITY
        ? undefined
        : clock.setTimer(() => end(() => reject(onTimeout())), timeout, keepAlive);
    const end = (settle: () => void): void => {
      cancelTimer?.();
      signal?.removeEventListener('abort', aborted);
      settle();
    };
    signal?.addEventListener('abort', aborted, { once: true });
    promise.then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error as Error)),
    );
  });
}

/** What `promise`, which does not reject, gives within this time; `undefined`: nothing yet. */
export function settledWithin<T>(promise: Promise<T>, clock: Clock, timeout: number): Promise<T | undefined> {
  const limits = { timeout, onTimeout: () => new Error('not yet'), onAbort: () => new Error('not yet') };
  return waitWithin(promise, clock, limits).catch(() => undefined);
}
