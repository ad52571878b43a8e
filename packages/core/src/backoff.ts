/** How long to wait before trying again. */

const FIRST_MS = 200;
/** The longest wait, in milliseconds. */
export const MAX_BACKOFF_MS = 30_000;

/**
 * Full jitter: anything between 0 and min(30 s, 200 ms · 2^attempt), so that instances which failed together do not
 * come back together. Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function fullJitter(attempt: number, random: number): number {
  return random * Math.min(MAX_BACKOFF_MS, FIRST_MS * 2 ** attempt);
}
