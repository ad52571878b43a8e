/** Failing sources: an error is never data, and the breaker. */
import type { Fault } from '../fault.ts';

const TELLS_OTHERS = {
  file: 'breaker.test.ts',
  title: 'serves all caches *; a success of one nudges the others',
};
const WAITS_LONGER = { file: 'breaker.test.ts', title: 'each failed probe waits longer, up to thirty seconds' };
const OPENS = { file: 'breaker.test.ts', title: 'opens after three failures in a row, not before; then nobody asks' };
const CHANGES_NOTHING = {
  file: 'errors-are-never-data.test.ts',
  title: '* changes nothing that readers see',
};

export const ERRORS: readonly Fault[] = [
  {
    name: 'a snapshot that broke off half-way is published as far as it came',
    promise: 5,
    file: 'snapshot-reader.ts',
    find: 'throw reading.invalid(`the snapshot broke off half-way',
    replace: 'void reading.invalid(`the snapshot broke off half-way',
    caughtBy: CHANGES_NOTHING,
  },
  {
    name: 'of a key that a snapshot has twice, the later row is taken',
    promise: 5,
    file: 'staging.ts',
    find: "if (isTwice) throw this.#reading.invalid('expected every key once, got one twice', { key });",
    replace: '',
    caughtBy: CHANGES_NOTHING,
  },
  {
    name: 'a row without a value is left out of the snapshot',
    promise: 5,
    file: 'staging.ts',
    find: "if (row === undefined) throw invalid('expected a value for every key, got undefined, which means absent', { key });",
    replace: 'if (row === undefined) return undefined;',
    caughtBy: CHANGES_NOTHING,
  },
  {
    name: 'a text of two letters is taken for a key and a value',
    promise: 5,
    file: 'staging.ts',
    find: 'if (!Array.isArray(entry)) throw',
    replace: "if (!Array.isArray(entry) && typeof entry !== 'string') throw",
    caughtBy: CHANGES_NOTHING,
  },
  {
    name: 'an answer of fetchMany that is no Map counts as an outage',
    promise: 5,
    file: 'key-reader.ts',
    find: "throw calls.error('invalid-snapshot', `expected fetchMany",
    replace: "throw calls.error('source-failed', `expected fetchMany",
    caughtBy: {
      file: 'errors-are-never-data.test.ts',
      title:
        'an answer of fetchMany that is no Map is an invalid answer: it changes nothing, and does not open the breaker',
    },
  },
  {
    name: 'a failed load says absent',
    promise: 5,
    file: 'loader.ts',
    find: '.catch(reject);',
    replace: '.catch(() => resolve(undefined));',
    caughtBy: {
      file: 'errors-are-never-data.test.ts',
      title: 'a failing source throws where nothing is held; it never says absent',
    },
  },
  {
    name: 'no stale value is served while the source fails',
    promise: 5,
    file: 'fetching.ts',
    find: "if (stale !== undefined && (error as CacheError).code !== 'aborted') {",
    replace: 'if (stale !== undefined && error === OUT_OF_PATIENCE) {',
    caughtBy: {
      file: 'errors-are-never-data.test.ts',
      title: 'through an outage what was held is served for staleIfError, and then nothing, not absent',
    },
  },
  {
    name: 'one key that always fails keeps all others from being refreshed',
    promise: 5,
    file: 'keys-round.ts',
    find: 'if (first !== undefined && (answers.length === 0 || calls.areRefused)) throw first;',
    replace: 'if (first !== undefined) throw first;',
    caughtBy: {
      file: 'refresh-by-keys.test.ts',
      title: 'a key that always fails keeps no other from being refreshed',
    },
  },
  {
    name: 'a listener that throws breaks the refresh it hears of',
    promise: 5,
    file: 'events.ts',
    find: '} catch (error) {\n        warn(error);',
    replace: '} catch (error) {\n        throw error;',
    caughtBy: {
      file: 'events.test.ts',
      title: 'that throws, or rejects, harms nobody: neither the cache nor the other listeners',
    },
  },
  {
    name: 'the breaker opens at the first failure',
    promise: 5,
    file: 'breaker.ts',
    find: 'const FAILURES_TO_OPEN = 3;',
    replace: 'const FAILURES_TO_OPEN = 1;',
    caughtBy: OPENS,
  },
  {
    name: 'an open breaker lets everybody through',
    promise: 5,
    file: 'breaker.ts',
    find: 'if (!insist && this.retryInMs > 0) return undefined;',
    replace: '',
    caughtBy: OPENS,
  },
  {
    name: 'failures count though they are not in a row',
    promise: 5,
    file: 'breaker.ts',
    find: 'this.#failures = 0;\n    this.#openings = 0;',
    replace: 'this.#openings = 0;',
    caughtBy: { file: 'breaker.test.ts', title: 'a success in between starts the count anew' },
  },
  {
    name: 'one cut connection counts once for each call that was on it',
    promise: 5,
    file: 'breaker.ts',
    find: 'if (call <= this.#counted) return;',
    replace: '',
    caughtBy: { file: 'breaker.test.ts', title: 'are one failure, however many fail (*)' },
  },
  {
    name: 'a refused request counts as an outage',
    promise: 5,
    file: 'source-calls.ts',
    find: 'if (reachable) pass.succeeded();\n      else pass.failed();',
    replace: 'pass.failed();',
    caughtBy: { file: 'breaker.test.ts', title: '* do not count' },
  },
  {
    name: 'two probes are under way at a time',
    promise: 5,
    file: 'breaker.ts',
    find: "if (this.#state === 'half-open') return undefined;",
    replace: "if (this.#state === 'half-open') return this.#pass(true);",
    caughtBy: {
      file: 'breaker.test.ts',
      title: 'one probe at a time finds out whether the source is back; a success closes',
    },
    hangs: true,
  },
  {
    name: 'a probe that is given up stands in the way for ever',
    promise: 5,
    file: 'breaker.ts',
    find: "if (probe && this.#state === 'half-open') this.#become('open');",
    replace: 'void probe;',
    caughtBy: {
      file: 'breaker.test.ts',
      title: 'a probe that the cache gives up by stopping lets another cache probe at once',
    },
  },
  {
    name: 'a call that is given up ends the probe of another cache',
    promise: 5,
    file: 'breaker.ts',
    find: "if (probe && this.#state === 'half-open') this.#become('open');",
    replace: "if (this.#state === 'half-open') this.#become('open');",
    caughtBy: {
      file: 'breaker.test.ts',
      title: 'that are given up change nothing: neither a probe of others, nor a breaker that has closed',
    },
  },
  {
    name: 'the waits of the breaker grow without end',
    promise: 5,
    file: 'backoff.ts',
    find: 'random * Math.min(MAX_BACKOFF_MS, FIRST_MS * 2 ** attempt)',
    replace: 'random * FIRST_MS * 2 ** attempt',
    caughtBy: WAITS_LONGER,
  },
  {
    name: 'the waits of the breaker never start small again',
    promise: 5,
    file: 'breaker.ts',
    find: 'this.#failures = 0;\n    this.#openings = 0;',
    replace: 'this.#failures = 0;',
    caughtBy: WAITS_LONGER,
  },
  {
    name: 'caches of one database have a breaker each',
    promise: 5,
    file: 'parts.ts',
    find: 'breakerOf(source.breakerKey ?? source, clock)',
    replace: 'breakerOf(source, clock)',
    caughtBy: TELLS_OTHERS,
  },
  {
    name: 'a cache does not hear that the source is back',
    promise: 5,
    file: 'service.ts',
    find: 'refresher.recovered();',
    replace: '',
    caughtBy: TELLS_OTHERS,
  },
  {
    name: 'a refresh that failed is not tried again before its interval is over',
    promise: 5,
    file: 'refresher.ts',
    find: 'this.#plan(delay);\n      return;',
    replace: 'this.#planNext();\n      return;',
    caughtBy: {
      file: 'refresh.test.ts',
      title: 'that failed is tried again after random(0, min(30 s, 200 ms · 2^n)), then at its interval again',
    },
  },
];
