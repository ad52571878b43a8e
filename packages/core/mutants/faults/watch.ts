/** The watch: set up, lost, set up again, ended. */
import type { Fault } from '../fault.ts';

const COMES_AGAIN = {
  file: 'watch.test.ts',
  title: 'comes again after random(0, min(30 s, 200 ms · 2^n)), and one that dies at once is no success',
};
const NO_SAY = {
  file: 'watch.test.ts',
  title: 'has no say any more: neither its nudges, nor a second loss, nor an end of its own',
};

export const WATCH: readonly Fault[] = [
  {
    name: 'the watch is not ended by stop',
    promise: 13,
    file: 'service.ts',
    find: 'const unwatched = watcher.stop();',
    replace: 'const unwatched = watcher.stands;',
    caughtBy: {
      file: 'watch.test.ts',
      title: 'is set up at the start, before the first load has ended, and ended by stop',
    },
  },
  {
    name: 'a watch that stands only after stop is left standing',
    promise: 13,
    file: 'watcher.ts',
    find: 'void this.#unwatch(attempt, false);',
    replace: '',
    caughtBy: {
      file: 'watch-stop.test.ts',
      title: 'while the watch is being set up, or waits to be, ends it; start works again',
    },
  },
  {
    name: 'a watch that does not end keeps stop waiting',
    promise: 4,
    file: 'watcher.ts',
    find: 'timeout,\n        keepAlive: awaited,',
    replace: 'timeout: 1_000 * timeout,\n        keepAlive: awaited,',
    caughtBy: { file: 'watch-stop.test.ts', title: 'waits for the watch to end, but no longer than its timeout' },
  },
  {
    name: 'a watch has for ever to stand',
    promise: 4,
    file: 'watcher.ts',
    find: 'ms`)),\n      timeout,',
    replace: 'ms`)),\n      1_000 * timeout,',
    caughtBy: {
      file: 'watch-stop.test.ts',
      title: 'is aborted and tried again; if it stands after all, it is ended',
    },
  },
  {
    name: 'a watch that is lost is not set up again',
    promise: 5,
    file: 'watcher.ts',
    find: 'this.#retry();\n    if (this.#isMissed) return;',
    replace: 'if (this.#isMissed) return;',
    caughtBy: {
      file: 'watch.test.ts',
      title: 'is an error, is set up again, and nudges when it stands again',
    },
  },
  {
    name: 'a watch that does not stand is said each time that it is tried',
    promise: 5,
    file: 'watcher.ts',
    find: 'if (this.#isMissed) return;',
    replace: '',
    caughtBy: {
      file: 'watch.test.ts',
      title: 'is said once for each time that it had stood, however often it is tried',
    },
  },
  {
    name: 'a watch that dies as soon as it stands is a success',
    promise: 5,
    file: 'watcher.ts',
    find: 'clock.now() - standsSince >= MAX_BACKOFF_MS',
    replace: 'clock.now() - standsSince >= 0',
    caughtBy: COMES_AGAIN,
  },
  {
    name: 'a watch is set up though the breaker is open',
    promise: 5,
    file: 'watcher.ts',
    find: "if (breaker.state !== 'closed') {\n      this.#retry();\n      return;\n    }",
    replace: '',
    caughtBy: {
      file: 'watch.test.ts',
      title: 'is not tried while the breaker is open, and at once when it closes',
    },
  },
  {
    name: 'what changed before the watch stood is missed',
    promise: 1,
    file: 'watcher.ts',
    find: "this.#options.nudge('watch');",
    replace: '',
    caughtBy: { file: 'watch.test.ts', title: 'come when the watch stands: what changed before that is not missed' },
  },
  {
    name: 'a watch that was lost still rings',
    promise: 1,
    file: 'watcher.ts',
    find: "if (!attempt.over) nudge('nudge');",
    replace: "nudge('nudge');",
    caughtBy: NO_SAY,
  },
  {
    name: 'a watch can be lost twice',
    promise: 5,
    file: 'watcher.ts',
    find: 'if (!attempt.over) this.#lost(attempt, this.#failed(cause));',
    replace: 'this.#lost(attempt, this.#failed(cause));',
    caughtBy: NO_SAY,
  },
  {
    name: 'a nudge leaves absent what is absent',
    promise: 11,
    file: 'parts.ts',
    find: 'if (source.fetchAll === undefined) store.negatives.clear();',
    replace: '',
    caughtBy: { file: 'watch.test.ts', title: 'reads again what is held, and forgets what is absent' },
  },
  {
    name: 'a watch that was lost and does not end keeps the process alive',
    promise: 10,
    file: 'watcher.ts',
    find: 'keepAlive: awaited,',
    replace: 'keepAlive: true,',
    caughtBy: {
      file: 'watch-stop.test.ts',
      title:
        'a watch that was lost and does not end keeps no process alive; one that is stopped does, as stop waits for it',
    },
  },
  {
    name: 'a watch waits in its next life for its failures in this one',
    promise: 13,
    file: 'watcher.ts',
    find: 'this.#failures = 0;\n    this.#connect();',
    replace: 'this.#connect();',
    caughtBy: {
      file: 'watch.test.ts',
      title: 'waits no longer in the next life for its failures in this one',
    },
  },
];
