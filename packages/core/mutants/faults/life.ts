/** From start to stop. */
import type { Fault } from '../fault.ts';

const STOP_IS_SAFE = {
  file: 'lifecycle.test.ts',
  title: 'stop is safe at every await of *, leaves nothing behind, and start works again',
};

export const LIFE: readonly Fault[] = [
  {
    name: 'calls that are under way go on after stop',
    promise: 13,
    file: 'source-calls.ts',
    find: "for (const end of [...this.#underWay]) end(this.error('stopped', 'stopped while the source was being asked'));",
    replace: '',
    caughtBy: STOP_IS_SAFE,
  },
  {
    name: 'the timer of the next refresh outlives the cache',
    promise: 13,
    file: 'refresher.ts',
    find: 'this.#active = false;\n    this.#cancelTimer();',
    replace: 'this.#active = false;',
    caughtBy: STOP_IS_SAFE,
  },
  {
    name: 'a fetch of the next life joins a round of the last one',
    promise: 13,
    file: 'refresher.ts',
    find: 'this.#running.whole = false;',
    replace: 'void 0;',
    caughtBy: {
      file: 'lifecycle.test.ts',
      title: 'a fetch after a stop and a start waits for nothing of the life before, however soon it comes',
    },
  },
  {
    name: 'what waits for its turn when the cache is stopped is sent in its next life',
    promise: 13,
    file: 'loader.ts',
    find: 'for (const { send } of this.#flights.values()) void send?.();',
    replace: '',
    caughtBy: {
      file: 'taking-turns.test.ts',
      title: 'is never asked for when the cache is stopped, not even if it starts again at once',
    },
  },
  {
    name: 'warm on a stopped cache takes off all the same',
    promise: 13,
    file: 'fetching.ts',
    find: 'async warm(keys: Iterable<string>): Promise<WarmReport> {\n    if (this.#options.isStopped()) {',
    replace: 'async warm(keys: Iterable<string>): Promise<WarmReport> {\n    if (false as boolean) {',
    caughtBy: {
      file: 'lifecycle.test.ts',
      title: 'nor for what was asked of it while it was stopped',
    },
  },
  {
    name: 'a refresh that fails while the cache is stopped plans the next one',
    promise: 13,
    file: 'refresher.ts',
    find: "if (!this.#active || interval === undefined || outcome === 'stopped') return;",
    replace: 'if (interval === undefined) return;',
    caughtBy: STOP_IS_SAFE,
  },
  {
    name: 'a stopped cache still listens to its breaker',
    promise: 13,
    file: 'service.ts',
    find: 'this.#unsubscribe?.();\n',
    replace: '',
    caughtBy: STOP_IS_SAFE,
  },
  {
    name: 'what was held is still served after stop',
    promise: 13,
    file: 'service.ts',
    find: 'this.#snapshots.closeAll();\n    this.#store.forgetAll();',
    replace: 'this.#snapshots.closeAll();',
    caughtBy: { file: 'original-defects.test.ts', title: 'nothing is served after stop' },
  },
  {
    name: 'a stopped cache gives snapshots, with a timer each',
    promise: 13,
    file: 'cache-snapshot.ts',
    find: 'if (this.#calls.isStopped) throw',
    replace: 'if (false as boolean) throw',
    caughtBy: {
      file: 'cache-snapshot.test.ts',
      title: 'from the beginning where the cache is stopped: there is none, and no timer for it',
    },
  },
  {
    name: 'a start that was stopped meanwhile ends the one that came after it',
    promise: 13,
    file: 'service.ts',
    find: 'if (session !== this.#session) return;\n    if (report',
    replace: 'if (report',
    caughtBy: {
      file: 'first-load.test.ts',
      title: "is quiet with onStartFailure: 'throw' if it was stopped meanwhile",
    },
  },
  {
    name: 'a cache that was started again refuses all calls',
    promise: 13,
    file: 'source-calls.ts',
    find: 'start(): void {\n    this.#stopped = false;',
    replace: 'start(): void {',
    caughtBy: STOP_IS_SAFE,
  },
  {
    name: 'a stopped cache asks the source all the same',
    promise: 13,
    file: 'source-calls.ts',
    find: "if (this.#stopped) return Promise.reject(this.error('stopped', 'the cache is stopped', { key: call.key }));",
    replace: '',
    caughtBy: { file: 'lifecycle.test.ts', title: 'stopping twice, or without a start, is stopping' },
  },
  {
    name: 'the heartbeat of the clock goes on when no timer is pending',
    promise: 13,
    file: 'clock.ts',
    find: 'clearInterval(this.#heartbeat);',
    replace: '',
    caughtBy: { file: 'system-clock.test.ts', title: 'has no heartbeat while no timer is pending' },
  },
  {
    name: 'a registry stops its first cache only',
    promise: 13,
    file: 'registry.ts',
    find: 'await all([...this].map((cache) => cache.stop()));',
    replace: 'await all([...this].slice(0, 1).map((cache) => cache.stop()));',
    caughtBy: {
      file: 'registry.test.ts',
      title: 'gives caches by name, in order, and starts and stops them together',
    },
  },
  {
    name: 'a registry does not wait for the others when one cannot start',
    promise: 13,
    file: 'registry.ts',
    find: "for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;",
    replace: 'await Promise.all(work);',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'a registry waits for all its caches, though one of them cannot start',
    },
  },
];
