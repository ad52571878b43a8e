/** Promises that are waited for no longer than makes sense. */

/** The promise, or the signal's reason as soon as it aborts. What the promise does after that is nobody's business. */
export function abortable<R>(promise: Promise<R>, signal: AbortSignal): Promise<R> {
  return new Promise<R>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = (): void => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).then(settled);
  });
}

/** Whether the promise resolved within so many milliseconds. Never rejects. */
export function resolvesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const settle = (outcome: boolean) => (): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    promise.then(settle(true), settle(false));
  });
}
