/** What a probe is, and the words in which it says what it saw. */
import type { Cache, Contender, Setting, WholeSetCache, WholeSetSetting } from './contender.ts';
import { settle, time } from './fake-time.ts';
import { Truth } from './truth.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Every contender is told that a value is fresh for so long, unless a probe says otherwise. */
export const TTL = 60_000;
/** Every contender that refreshes whole sets is told to do so at this interval, unless a probe says otherwise. */
export const REFRESH = 30_000;

/** One question, the same for every contender. */
export interface Probe {
  readonly id: string;
  /** The behaviour that is expected, as a sentence. */
  readonly title: string;
  /** What exactly is done, and what is a pass. */
  readonly expected: string;
  /** Why users care; with the threads where they said so. */
  readonly why: string;
  run(lab: Lab): Promise<Finding>;
}

export interface ProbeGroup {
  readonly title: string;
  readonly probes: readonly Probe[];
}

export interface Finding {
  readonly pass: boolean;
  /** What was seen, in words made from it. */
  readonly observed: string;
}

/** Thrown by a probe that has nothing to say of this contender. */
export class NotApplicable extends Error {}

export const NOT_OFFERED = 'offers no ';

/** What a contender may offer or not; says so if it does not. */
export function offered<T>(ability: T | undefined, what: string): T {
  if (ability === undefined) throw new NotApplicable(`${NOT_OFFERED}${what}`);
  return ability;
}

/** One contender, a source of its own, and what was opened. */
export class Lab {
  readonly contender: Contender;
  readonly truth: Truth = new Truth();
  readonly #opened: { close(): unknown }[] = [];

  constructor(contender: Contender) {
    this.contender = contender;
  }

  open(setting: Partial<Setting> = {}): Cache {
    return this.keep(this.contender.open(this.truth, { ttlMs: TTL, ...setting }));
  }

  openPlain(): Cache {
    return this.keep(this.contender.openPlain(this.truth, TTL));
  }

  openWholeSet(setting: Partial<WholeSetSetting> = {}): WholeSetCache {
    // Called on the contender, so that an adapter may use `this`.
    offered(this.contender.openWholeSet, 'loading and refreshing of a whole set');
    return this.keep(this.contender.openWholeSet!(this.truth, { refreshMs: REFRESH, ...setting }));
  }

  /** Closes it when the probe has ended. */
  keep<T extends { close(): unknown }>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  async close(): Promise<void> {
    for (const opened of this.#opened) await outcome(opened.close());
  }
}

/** How something ended, or that it has not. */
export class Outcome {
  state: 'pending' | 'value' | 'error' = 'pending';
  value: unknown;
  /** Since it was asked for. */
  tookMs: number = Number.POSITIVE_INFINITY;
  readonly #askedAt: number = time.now();

  constructor(promise: unknown) {
    Promise.resolve(promise).then(
      (value) => this.#end('value', value),
      (error: unknown) => this.#end('error', error),
    );
  }

  /** Is it a row in this state? */
  is(state: string): boolean {
    return this.state === 'value' && stateOf(this.value) === state;
  }

  toString(): string {
    if (this.state === 'pending') return 'no answer';
    return this.state === 'value' ? describe(this.value) : `an error (${firstLine(this.value)})`;
  }

  #end(state: 'value' | 'error', value: unknown): void {
    this.state = state;
    this.value = value;
    this.tookMs = time.now() - this.#askedAt;
  }
}

/** Follows a promise without waiting for it. */
export function watch(promise: unknown): Outcome {
  return new Outcome(promise);
}

/** Follows a promise until it has ended, or so much time has passed. */
async function outcome(promise: unknown, withinMs: number = MINUTE): Promise<Outcome> {
  const result = new Outcome(promise);
  await settle();
  const end = time.now() + withinMs;
  while (result.state === 'pending' && time.now() < end) await time.pass(Math.min(100, end - time.now()));
  return result;
}

/** Calls and follows: what throws at once is an error like any other. */
export async function attempt(run: () => unknown, withinMs?: number): Promise<Outcome> {
  return outcome((async () => run())(), withinMs);
}

export function stateOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'state' in value ? value.state : undefined;
}

/** A value in words. */
export function describe(value: unknown): string {
  const state = stateOf(value);
  if (typeof state === 'string') return `the ${state} value`;
  if (value instanceof Map) return value.size === 0 ? 'nothing' : [...value.values()].map(describe).join(' and ');
  return typeof value === 'object' && value !== null ? 'some other object' : String(value);
}

/** `1 call`, `2 calls`. */
export function times(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const line = text.split('\n')[0]!.replace(/^Error: /, '');
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}
