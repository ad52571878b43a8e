/**
 * Loads single keys on demand: one flight per key. Knows nothing of refreshes or of what readers see.
 *
 *     fetch a ─┐
 *     fetch a ─┼─▶ one flight ─▶ one source call ─▶ all three
 *     fetch a ─┘
 *     invalidate a: the flight goes on for those who wait, but nobody joins it any more
 *
 * Where each key is a source call of its own, many keys take turns. A key that waits for its turn has its flight, which
 * anybody may join, whatever happens meanwhile: its call is sent later than that.
 *
 *     fetchMany a … z ─▶ a … p are sent, q … z wait
 *     invalidate z        z goes on waiting: it will be asked for after this
 *     fetch z ──────────▶ z is sent now; its turn has nothing left to do
 *     stop                what waits is never sent
 */
import type { AbsentLimit } from './absent-limit.ts';
import type { Counters } from './counters.ts';
import type { CacheError } from './errors.ts';
import type { Fence } from './fence.ts';
import type { KeyOutcome, KeyReader } from './key-reader.ts';
import { eachLimited } from './limited.ts';

export interface Flight<T> {
  readonly promise: Promise<T | undefined>;
  /** When its request was sent; while it waits for its turn: when it was wanted first. */
  startedAt: number;
  /** Its request was sent after this moment of the fence. */
  sentAfter: number;
  /** It waits for its turn: sends its request now, and resolves when it has landed. */
  send?: (() => Promise<void>) | undefined;
}

type Moment = Pick<Flight<unknown>, 'startedAt' | 'sentAfter'>;

export interface LoadRequest {
  readonly reason: string;
  /** An answer that was requested before does not do. */
  readonly fresh: boolean;
}

interface LoaderOptions<T> {
  readonly reader: KeyReader<T>;
  readonly fence: Fence;
  readonly counters: Counters;
  readonly now: () => number;
  /** Where each key is a source call of its own: so many for those who want several. */
  readonly atATime: number;
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
    const flights = new Map<string, Flight<T>>();
    const missing: string[] = [];
    for (const key of keys) {
      const joined = this.#join(key, request.fresh);
      if (joined === undefined) missing.push(key);
      else flights.set(key, joined);
    }
    if (missing.length > 0) this.#takeOff(missing, request, flights);
    const waiting: Flight<T>[] = [];
    for (const flight of flights.values()) if (flight.send !== undefined) waiting.push(flight);
    // When its turn comes it may have been sent by others who want it as well.
    if (waiting.length > 0) void eachLimited(waiting, this.#options.atATime, (flight) => flight.send?.());
    return flights;
  }

  isUnderWay(key: string): boolean {
    return this.#flights.has(key);
  }

  /** The flight of this key that a read may join, its request sent; `undefined`: there is none. */
  join(key: string): Flight<T> | undefined {
    const flight = this.#join(key, false);
    void flight?.send?.();
    return flight;
  }

  /** Nobody joins the flight of this key any more, if its request was sent. */
  forget(key: string): void {
    if (this.#flights.get(key)?.send === undefined) this.#flights.delete(key);
  }

  forgetAll(): void {
    for (const key of this.#flights.keys()) this.forget(key);
  }

  /** What waits for its turn is never sent. To be called when no calls are made any more: so each ends as they do. */
  stop(): void {
    for (const { send } of this.#flights.values()) void send?.();
    this.#flights.clear();
  }

  #join(key: string, fresh: boolean): Flight<T> | undefined {
    const flight = this.#flights.get(key);
    if (flight === undefined) return undefined;
    // If a snapshot that was sent later has landed first, who asks now must not be told what was true before it.
    const isSent = flight.send === undefined;
    if (isSent && (fresh || !this.#options.fence.admits(key, flight.sentAfter))) return undefined;
    this.#options.counters.coalesced += 1;
    return flight;
  }

  /** New flights for these keys. */
  #takeOff(keys: readonly string[], request: LoadRequest, flights: Map<string, Flight<T>>): void {
    const moment = this.#moment();
    const allowed = this.#refuseUnknown(keys, (key, promise) => flights.set(key, { ...moment, promise }));
    const answers = this.#ask(allowed, request);
    for (const [index, key] of allowed.entries()) {
      const flight: Flight<T> =
        answers === undefined ? this.#single(key, request, moment) : { ...moment, promise: answers[index]! };
      flights.set(key, flight);
      this.#watch(key, flight);
    }
  }

  #moment(): Moment {
    return { startedAt: this.#options.now(), sentAfter: this.#options.fence.moment() };
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

  /** One question for all these keys: an answer for each, aligned with them. `undefined`: each is one of its own. */
  #ask(keys: readonly string[], request: LoadRequest): Promise<T | undefined>[] | undefined {
    const { reader, loadFromSnapshot } = this.#options;
    if (keys.length === 0) return [];
    if (!reader.canRead) return loadFromSnapshot(keys, request.fresh);
    if (!reader.canReadMany || keys.length === 1) return undefined;
    // Each key has its own outcome, so that one bad row fails one key.
    const outcomes = this.#read(keys, request);
    return keys.map((_, index) => outcomes.then((all) => valueFrom(all[index]!)));
  }

  /** A flight that waits for its turn. */
  #single(key: string, request: LoadRequest, moment: Moment): Flight<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const send = (): Promise<void> => {
      Object.assign(flight, this.#moment(), { send: undefined });
      return this.#read([key], request)
        .then(([outcome]) => resolve(valueFrom(outcome!)))
        .catch(reject);
    };
    const flight: Flight<T> = { ...moment, promise, send };
    return flight;
  }

  #read(keys: readonly string[], { reason }: LoadRequest): Promise<KeyOutcome<T>[]> {
    const { reader } = this.#options;
    return reader.read(keys, { reason, awaited: true }, (answers) => reader.store(answers));
  }
}

function valueFrom<T>(outcome: KeyOutcome<T>): T | undefined {
  if (outcome.error !== undefined) throw outcome.error;
  return outcome.value;
}
