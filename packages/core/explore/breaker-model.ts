/**
 * What a breaker has to do, seen from outside: from the ends of calls, and a chance that is always the same.
 *
 * When an answer has landed, core hears of it some microtasks later, and what is sent or fails until then may count as
 * before or as after it:
 *
 *     answer lands ──▶ core hears? ──▶ a request is sent ──▶ core hears? ──▶ nothing moves any more: it has heard
 *
 * So the model keeps every state that the breaker may be in, and drops those that cannot be when it sees what core does.
 */
import type { Call } from './calls.ts';
import type { HistoryClock } from './clock.ts';

const FAILURES_TO_OPEN = 3;

interface State {
  readonly failures: number;
  readonly openings: number;
  /** Failures of calls up to this ticket are no news. */
  readonly counted: number;
  readonly retryAt: number;
  readonly probe: Call | undefined;
  /** So many answers have landed that core may not have heard of. */
  readonly unheard: number;
}

export class BreakerModel {
  readonly #clock: HistoryClock;
  #states: readonly State[] = [{ failures: 0, openings: 0, counted: 0, retryAt: 0, probe: undefined, unheard: 0 }];

  constructor(clock: HistoryClock) {
    this.#clock = clock;
  }

  /** It is open, whatever core has heard of. */
  get isOpen(): boolean {
    return this.#states.every((state) => isOpen(state) && state.unheard === 0);
  }

  /** An answer has landed. */
  landed(): void {
    this.#states = this.#states.map((state) => ({ ...state, unheard: state.unheard + 1 }));
  }

  /** Core has heard of all that has landed. */
  caughtUp(sent: number): void {
    if (this.#states.some(({ unheard }) => unheard > 0)) {
      this.#become(this.#states.map((state) => (state.unheard > 0 ? heard(state, sent, 0) : state)));
    }
  }

  /** An answer has come that says the source is up, and core knows. */
  succeeded(sent: number): void {
    this.#become(this.#states.map((state) => heard(state, sent, state.unheard)));
  }

  failed(call: Call, sent: number): void {
    this.#become(this.#possible(sent).map((state) => this.#failed(state, call, sent)));
  }

  /** Given up for reasons that say nothing about the source. */
  abandoned(call: Call): void {
    this.#become(this.#states.map((state) => without(state, call)));
  }

  /** A call is made. Why it may not be: `undefined`, if it may. `insists`: it need not wait to be the probe. */
  sent(call: Call, sentBefore: number, insists: boolean): string | undefined {
    const now = this.#clock.now();
    const possible = this.#possible(sentBefore);
    const alone = possible.filter((state) => !isOpen(state) || state.probe === undefined);
    if (alone.length === 0) return 'beside a probe';
    const allowed = alone.filter((state) => !isOpen(state) || insists || now >= state.retryAt);
    if (allowed.length === 0) return 'while the breaker was open';
    this.#become(allowed.map((state) => (isOpen(state) ? { ...state, probe: call } : state)));
    return undefined;
  }

  #failed(before: State, call: Call, sent: number): State {
    const state = without(before, call);
    if (call.ticket <= state.counted) return state;
    const failed = { ...state, counted: sent, failures: state.failures + 1 };
    if (!isOpen(failed)) return failed;
    const wait = this.#clock.random() * Math.min(30_000, 200 * 2 ** state.openings);
    return { ...failed, retryAt: this.#clock.now() + wait, openings: state.openings + 1 };
  }

  /** As it is, and as it is if core has heard of what has landed. */
  #possible(sent: number): State[] {
    const states = [...this.#states];
    // Those that are added are looked at, too: of several answers each may have been heard of.
    for (const state of states) if (state.unheard > 0) states.push(heard(state, sent, state.unheard - 1));
    return states;
  }

  #become(states: readonly State[]): void {
    this.#states = states.filter((state, index) => states.findIndex((other) => isSame(state, other)) === index);
  }
}

function isOpen({ failures }: State): boolean {
  return failures >= FAILURES_TO_OPEN;
}

function heard(state: State, sent: number, unheard: number): State {
  return { ...state, failures: 0, openings: 0, counted: sent, probe: undefined, unheard };
}

function without(state: State, call: Call): State {
  return state.probe === call ? { ...state, probe: undefined } : state;
}

function isSame(a: State, b: State): boolean {
  return (
    a.failures === b.failures &&
    a.openings === b.openings &&
    a.counted === b.counted &&
    a.retryAt === b.retryAt &&
    a.probe === b.probe &&
    a.unheard === b.unheard
  );
}
