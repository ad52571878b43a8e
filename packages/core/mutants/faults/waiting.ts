/** Refreshes that wait together, and what a nudge may not do. */
import type { Fault } from '../fault.ts';

const ALIVE = {
  file: 'survivors-refreshes.test.ts',
  title: 'keep the process alive only if somebody awaits one of them',
};

export const WAITING: readonly Fault[] = [
  {
    name: 'refreshes of keys that wait together read everything',
    promise: 3,
    file: 'refresher.ts',
    find: 'whole: a.whole || b.whole,',
    replace: 'whole: true,',
    caughtBy: { file: 'survivors-refreshes.test.ts', title: 'for keys read these keys and no others' },
  },
  {
    name: 'a full refresh is full no more when it waits together with others',
    promise: 3,
    file: 'refresher.ts',
    find: 'full: a.full || b.full,',
    replace: 'full: a.full && b.full,',
    caughtBy: { file: 'survivors-refreshes.test.ts', title: 'are full if one of them is' },
  },
  {
    name: 'dry runs that wait together publish',
    promise: 1,
    file: 'refresher.ts',
    find: 'dryRun: a.dryRun,',
    replace: 'dryRun: false,',
    caughtBy: { file: 'survivors-refreshes.test.ts', title: 'are a dry run if they are dry runs' },
  },
  {
    name: 'nudges that wait together keep the process alive',
    promise: 10,
    file: 'refresher.ts',
    find: 'awaited: a.awaited || b.awaited,',
    replace: 'awaited: true,',
    caughtBy: ALIVE,
  },
  {
    name: 'the process may end under a refresh that somebody awaits, if nudges wait with it',
    promise: 10,
    file: 'refresher.ts',
    find: 'awaited: a.awaited || b.awaited,',
    replace: 'awaited: a.awaited && b.awaited,',
    caughtBy: ALIVE,
  },
  {
    name: 'the process may end under a nudge, though somebody awaits the dry run behind it',
    promise: 10,
    file: 'refresher.ts',
    find: '[next, ...this.#waiting].some(',
    replace: '[next].some(',
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'keep the process alive while somebody awaits the one behind them',
    },
  },
  {
    name: 'a nudge asks though the breaker waits',
    promise: 5,
    file: 'refresher.ts',
    find: 'keys: keys ?? [], awaited: false }',
    replace: 'keys: keys ?? [], awaited: false, insist: true }',
    caughtBy: { file: 'survivors-refreshes.test.ts', title: 'a nudge is no probe before its time' },
  },
  {
    name: 'nudges that wait together ask though the breaker waits',
    promise: 5,
    file: 'refresher.ts',
    find: 'insist: a.insist || b.insist,',
    replace: 'insist: true,',
    caughtBy: { file: 'survivors-refreshes.test.ts', title: 'nor are nudges that wait together' },
  },
  {
    name: 'a breaker that closes sets off a refresh only if one has failed',
    promise: 5,
    file: 'refresher.ts',
    find: "if (!this.#running?.whole) this.nudge('recovered')",
    replace: "if (this.#failures > 0 && !this.#running?.whole) this.nudge('recovered')",
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'one that closes sets off a refresh though none has failed: something may have changed meanwhile',
    },
  },
  {
    name: 'a refresh that failed is tried again by itself though there is no interval',
    promise: 13,
    file: 'refresher.ts',
    find: "if (!this.#active || interval === undefined || outcome === 'stopped') return;",
    replace: "if (!this.#active || outcome === 'stopped') return;",
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'a refresh that failed is not tried again by itself where there is no interval (*)',
    },
  },
  {
    name: 'rings read everything again and again where the source never says what has changed',
    promise: 3,
    file: 'brake.ts',
    find: 'if (this.#holds) this.#rung ??= reason;\n    else ',
    replace: '',
    caughtBy: {
      file: 'brake.test.ts',
      title: 'is read at most 20 times in ten minutes where the timer would read it 12 times',
    },
  },
  {
    name: 'a ring that comes while everything is read starts the next such reading at its end',
    promise: 3,
    file: 'brake.ts',
    find: 'this.#holds = this.#resyncs > 0;',
    replace: 'this.#holds = false;',
    caughtBy: {
      file: 'brake.test.ts',
      title: 'is not read again at the end of a load for the rings that came meanwhile',
    },
  },
  {
    name: 'a ring that is let go starts beside the refresh whose turn it is',
    promise: 3,
    file: 'refresher.ts',
    find: 'this.#planAfter(report, whole);\n    this.#running = undefined;',
    replace: 'void 0;\n    this.#running = undefined;\n    this.#planAfter(report, whole);',
    caughtBy: { file: 'brake.test.ts', title: 'that comes during a refresh joins the one that waits, as ever' },
  },
  {
    name: 'rings wait after a resync because there was another one before',
    promise: 1,
    file: 'brake.ts',
    find: "else if (kind === 'delta') this.#resyncs = 0;",
    replace: '',
    caughtBy: {
      file: 'brake.test.ts',
      title: 'is acted upon at once after one resync, and again after the next, where deltas go on in between',
    },
  },
  {
    name: 'a ring that had to wait is lost',
    promise: 1,
    file: 'brake.ts',
    find: 'if (reason !== undefined) this.#options.pass(reason);',
    replace: '',
    caughtBy: {
      file: 'brake.test.ts',
      title: 'that waits is one refresh at the end of the pause, however many there were',
    },
  },
  {
    name: 'a pause outlives stop',
    promise: 13,
    file: 'refresher.ts',
    find: 'this.#brake.lift();',
    replace: '',
    caughtBy: { file: 'brake.test.ts', title: 'waits for no longer than this life' },
  },
];
