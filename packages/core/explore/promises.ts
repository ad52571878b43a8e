/** The promises that are checked, how often each check had something to say, and what a broken one looks like. */

/** In the words of the documentation, whose numbers end at 14; the numbers are used in what is printed. */
export const PROMISES = {
  1: 'one way in',
  2: 'no lost invalidation',
  3: 'one flight',
  4: 'nothing hangs',
  5: 'an error is never data',
  6: 'a catastrophe needs confirming',
  7: 'atomic',
  8: 'identity is version',
  9: 'one bad row costs one row',
  10: 'honest age',
  11: 'unknown keys are cheap',
  12: 'any string is a key',
  13: 'stop at any await is safe',
  14: 'never backwards',
  15: 'the cache converges',
  // These are parts of what is written above, counted apart: each is rarely at stake.
  16: 'what is held can be accepted or rejected',
  17: 'a nudge and the interval start a round',
  18: 'stale only where nothing newer can be had',
  19: 'memory is bounded',
} as const;

export type PromiseNumber = keyof typeof PROMISES;

export const PROMISE_NUMBERS: readonly PromiseNumber[] = Object.keys(PROMISES).map(
  (name) => Number(name) as PromiseNumber,
);

/** How often each check was exercised with something at stake. */
export type Counts = Record<PromiseNumber, number>;

export function noCounts(): Counts {
  return Object.fromEntries(PROMISE_NUMBERS.map((number) => [number, 0])) as Counts;
}

export class BrokenPromise extends Error {
  readonly promise: PromiseNumber;

  constructor(promise: PromiseNumber, message: string) {
    super(`promise ${promise}, ${PROMISES[promise]}: ${message}`);
    this.promise = promise;
  }
}
