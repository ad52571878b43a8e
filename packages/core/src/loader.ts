/**
 * Loads single keys on demand: one flight per key. Knows nothing of refreshes or of what readers see.
 *
 *     fetch a ─┐
 *     fetch a ─┼─▶ one flight ─▶ one source call ─▶ all three
 *     fetch a ─┘
 *     invalidate a: the flight goes on for those who wait, but nobody joins it any more
 */
import type { AbsentLimit } from './absent-limit.ts';
import type { Counters } from './counters.ts';
import type { CacheError } from './errors.ts';
import type { Fence } from './fence.ts';
import type { KeyOutcome, KeyReader } from './key-reader.ts';
import { eachLimited, SINGLE_CALLS_AT_A_TIME } from './limited.ts';

export interface Flight<T> {
  readonly promise: Promise<T | undefined>;
  readonly startedAt: number;
  /** Its request is sent after this moment of the fence. */
  readonly sentAfter: number;
}

export interface LoadRequest {
  readonly reason: string;
  /** Ask the source now: an answer that was requested before does not do. */
  readonly fresh: boolean;
}

interface LoaderOptions<T> {
  readonly reader: KeyReader<T>;
  readonly fence: Fence;
  readonly counters: Counters;
  readonly now: () => number;
  readonly absentLimit: AbsentLimit;
  /** Is nothing at all held under this key? */
  readonly isUnknown: (key: string) => boolean;
  readonly rateLimited: (key: string) => CacheError;
  /** For a source that can only be asked for everything: one snapshot for all these keys. */
  readonly loadFromSnapshot: (keys: readonly string[], fresh: boolean) => Promise<T | undefined>[];
}

export class Loader<T> {
  readonly #options: LoaderOptions<T>;
  readonly #flights = new Map<string, Flight<T>>();

  constructor(options: LoaderOptions<T>) {
    this.#options = options;
  }

  /** A flight for one key: the one under way, or a new one. */
  load(key: string, request: LoadRequest): Flight<T> {
    return this.loadMany([key], request).get(key)!;
  }

  /** A flight for each key; what is not under way yet takes one source call where the source can. */
  loadMany(keys: readonly string[], request: LoadRequest): Map<string, Flight<T>> {
    const { fence, now } = this.#options;
    const flights = new Map<string, Flight<T>>();
    const missing: string[] = [];
    for (const key of keys) {
      const joined = request.fresh ? undefined : this.join(key);
      if (joined === undefined) missing.push(key);
      else flights.set(key, joined);
    }
    if (missing.length === 0) return flights;
    const takeOff = { startedAt: now(), sentAfter: fence.moment() };
    const allowed = this.#refuseUnknown(missing, (key, refused) => flights.set(key, { ...takeOff, promise: refused }));
    const answers = this.#ask(allowed, request);
    for (const [index, key] of allowed.entries()) {
      const flight = { ...takeOff, promise: answers[index]! };
      flights.set(key, flight);
      this.#watch(key, flight);
    }
    return flights;
  }

  isUnderWay(key: string): boolean {
    return this.#flights.has(key);
  }

  /** The flight of this key that a read may join; `undefined`: there is none. */
  join(key: string): Flight<T> | undefined {
    const flight = this.#flights.get(key);
    // If a snapshot that was sent later has landed first, who asks now must not be told what was true before it.
    if (flight === undefined || !this.#options.fence.admits(key, flight.sentAfter)) return undefined;
    this.#options.counters.coalesced += 1;
    return flight;
  }

  /** Nobody joins the flight of this key any more. */
  forget(key: string): void {
    this.#flights.delete(key);
  }

  forgetAll(): void {
    this.#flights.clear();
  }

  /** While too many answers are "absent", a key of which nothing is held is refused. Gives the keys that may be asked. */
  #refuseUnknown(
    keys: readonly string[],
    refuse: (key: string, refused: Promise<undefined>) => void,
  ): readonly string[] {
    const { absentLimit, isUnknown, rateLimited, counters, now } = this.#options;
    if (!absentLimit.isReached(now())) return keys;
    return keys.filter((key) => {
      if (!isUnknown(key)) return true;
      counters.rateLimited += 1;
      const refused = Promise.reject<undefined>(rateLimited(key));
      // Its caller may have given up meanwhile.
      refused.catch(() => undefined);
      refuse(key, refused);
      return false;
    });
  }

  #watch(key: string, flight: Flight<T>): void {
    this.#flights.set(key, flight);
    const land = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    const landed = (value: T | undefined): void => {
      if (value === undefined) this.#options.absentLimit.count(this.#options.now());
      land();
    };
    // Also keeps a failure that nobody waits for (all were served stale) from being unhandled.
    flight.promise.then(landed, land);
  }

  /** An answer for each key, aligned with them. */
  #ask(keys: readonly string[], { reason, fresh }: LoadRequest): Promise<T | undefined>[] {
    const { reader, loadFromSnapshot } = this.#options;
    if (keys.length === 0) return [];
    if (!reader.canRead) return loadFromSnapshot(keys, fresh);
    const call = { reason, awaited: true };
    const read = (batch: readonly string[]): Promise<KeyOutcome<T>[]> =>
      reader.read(batch, call, (answers) => reader.store(answers));
    if (reader.canReadMany && keys.length > 1) {
      // Each key has its own outcome, so that one bad row fails one key.
      const outcomes = read(keys);
      return keys.map((_, index) => outcomes.then((all) => valueFrom(all[index]!)));
    }
    const waiting = keys.map((key) => ({ key, ...Promise.withResolvers<T | undefined>() }));
    void eachLimited(waiting, SINGLE_CALLS_AT_A_TIME, ({ key, resolve, reject }) =>
      read([key])
        .then(([outcome]) => resolve(valueFrom(outcome!)))
        .catch(reject),
    );
    return waiting.map(({ promise }) => promise);
  }
}

function valueFrom<T>(outcome: KeyOutcome<T>): T | undefined {
  if (outcome.error !== undefined) throw outcome.error;
  return outcome.value;
}
