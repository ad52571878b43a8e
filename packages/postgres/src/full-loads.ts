/**
 * At most so many instances read everything at once: whoever does holds one of so many advisory locks, in the very
 * transaction that reads, so that it is free again however that ends. Without a place the connection is given back, and
 * asked for again a little later.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Duration, parseDuration } from 'evercache';
import type { Lease, Statement } from './database.ts';
import { PostgresError } from './errors.ts';

export interface FullLoadsOptions {
  /** How many instances of all that use this database may read everything at once, whichever table it is of. */
  readonly atOnce: number;
  /**
   * How long one waits for its turn; then the refresh fails, and is tried again as others that failed. It should be
   * shorter than the cache's `refreshTimeout`, which goes on meanwhile. @default '30s'
   */
  readonly timeout?: Duration;
}

/** Milliseconds between two attempts, at most. */
const RETRY_MS = 250;

export class FullLoads {
  readonly #attempt: Statement;
  readonly #atOnce: number;
  readonly #timeout: number;

  constructor({ atOnce, timeout }: { readonly atOnce: number; readonly timeout: number }) {
    this.#atOnce = atOnce;
    this.#timeout = timeout;
    // The limit ends it at the first lock that could be had.
    const text = `select place::text from generate_series(1, ${atOnce}) as place
      where pg_try_advisory_xact_lock(hashtextextended('evercache.full-load', place)) limit 1`;
    this.#attempt = { text, values: [] };
  }

  /** A lease with a place. `open` begins a transaction; ages count from before the wait, which is honest. */
  async enter(open: () => Promise<Lease>, signal: AbortSignal): Promise<Lease> {
    const until = performance.now() + this.#timeout;
    for (;;) {
      const lease = await open();
      const found = await lease.run(this.#attempt).catch(async (error: unknown) => {
        await lease.end();
        throw error;
      });
      if (found.rows.length > 0) return lease;
      await lease.end();
      if (performance.now() >= until) {
        const message = `${this.#atOnce} others were reading everything for ${this.#timeout} ms; option "fullLoads" allows no more`;
        throw new PostgresError({ message, reachable: true });
      }
      const pause = RETRY_MS * (0.2 + 0.8 * Math.random());
      await sleep(pause, undefined, { signal, ref: false }).catch(() => signal.throwIfAborted());
    }
  }
}

/** Checks the option; `fail` throws. */
export function resolveFullLoads(
  given: unknown,
  fail: (option: string, expected: string, got: unknown) => never,
): FullLoads | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null) fail('fullLoads', '{ atOnce, timeout }', given);
  const unknown = Object.keys(given).find((name) => name !== 'atOnce' && name !== 'timeout');
  if (unknown !== undefined) fail('fullLoads', 'nothing but atOnce and timeout', unknown);
  const { atOnce, timeout = '30s' } = given as FullLoadsOptions;
  if (!(Number.isInteger(atOnce) && atOnce > 0 && atOnce <= 1000)) {
    fail('fullLoads.atOnce', 'a whole number from 1 to 1000', atOnce);
  }
  const ms = parseDuration(timeout);
  if (ms === undefined || !(ms >= 0 && Number.isFinite(ms))) {
    fail('fullLoads.timeout', "a duration of 0 or more and finite: milliseconds, or like '30s'", timeout);
  }
  return new FullLoads({ atOnce, timeout: ms });
}
