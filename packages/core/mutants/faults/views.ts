/** Snapshots that readers hold, dry runs, and keys that the source does not have. */
import type { Fault } from '../fault.ts';

const STAYS = {
  file: 'cache-snapshot.test.ts',
  title: 'and others that are open too, each as it was when it was opened',
};
const NO_TRACE = { file: 'dry-run.test.ts', title: 'of everything says what would change, and changes nothing' };
const FLOOD = {
  file: 'absent-keys.test.ts',
  title: 'is refused beyond ten seconds of the rate, before the source is asked, and let in as time passes',
};
const NO_CALL = {
  file: 'absent-keys.test.ts',
  title: 'a key that the load did not have is absent without a call, while the set is fresh or stale',
};

export const VIEWS: readonly Fault[] = [
  {
    name: 'an open snapshot shows what was stored since',
    promise: 7,
    file: 'store.ts',
    find: 'this.views.keep(key, this.live.get(key));\n    this.live.set(key, value);',
    replace: 'this.live.set(key, value);',
    caughtBy: STAYS,
  },
  {
    name: 'an open snapshot lacks what was removed since',
    promise: 7,
    file: 'store.ts',
    find: 'this.views.keep(key, this.live.get(key));\n    this.live.delete(key);',
    replace: 'this.live.delete(key);',
    caughtBy: STAYS,
  },
  {
    name: 'an open snapshot remembers the last change of a key instead of the first',
    promise: 7,
    file: 'views.ts',
    find: 'if (!this.#before.has(key)) this.#before.set(key, value);',
    replace: 'this.#before.set(key, value);',
    caughtBy: { file: 'cache-snapshot.test.ts', title: 'a change that is made twice is undone once (*)' },
  },
  {
    name: 'a snapshot that was opened before a publish hears of what changes after it',
    promise: 7,
    file: 'views.ts',
    find: 'this.revision += 1;\n    this.#open.clear();',
    replace: 'this.revision += 1;',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'an open snapshot stays as it was when the whole set is replaced, and the new one changes',
    },
  },
  {
    name: 'a snapshot that was closed in the middle of a walk ends it as if that had been all',
    promise: 7,
    file: 'cache-snapshot.ts',
    find: 'yield entry;\n      this.#assertOpen();',
    replace: 'yield entry;',
    caughtBy: {
      file: 'cache-snapshot.test.ts',
      title: 'in the middle of a walk: it ends with the error, not as if that had been all',
    },
  },
  {
    name: 'a snapshot outlives the stop of its cache',
    promise: 13,
    file: 'service.ts',
    find: 'this.#snapshots.closeAll();',
    replace: '',
    caughtBy: { file: 'cache-snapshot.test.ts', title: 'by close, once or twice, by using, and by stop' },
  },
  {
    name: 'a snapshot that was closed leaves its timer behind',
    promise: 13,
    file: 'cache-snapshot.ts',
    find: 'this.#cancelTimer();',
    replace: '',
    caughtBy: { file: 'cache-snapshot.test.ts', title: 'by close, once or twice, by using, and by stop' },
  },
  {
    name: 'a dry run of everything publishes',
    promise: 1,
    file: 'whole-round.ts',
    find: 'if (dryRun) return changes;',
    replace: '',
    caughtBy: NO_TRACE,
  },
  {
    name: 'a dry run of keys stores their answers',
    promise: 1,
    file: 'keys-round.ts',
    find: '(dryRun ? compareAll(parts, answers) : await storeAll(parts, answers))',
    replace: '(dryRun && answers.length === 0 ? compareAll(parts, answers) : await storeAll(parts, answers))',
    caughtBy: { file: 'dry-run.test.ts', title: 'of some keys says what would become of them' },
  },
  {
    name: 'a dry run of a delta corrects the set',
    promise: 1,
    file: 'delta-round.ts',
    find: 'if (dryRun) return { changes, cursor };',
    replace: '',
    caughtBy: {
      file: 'dry-run.test.ts',
      title: 'leaves the position where it is: the refresh after it reads the same changes',
    },
  },
  {
    name: 'a dry run of a delta moves the position',
    promise: 1,
    file: 'rounds.ts',
    find: 'if (request.dryRun) return outcome.changes;\n    this.#cursor = outcome.cursor;',
    replace: 'this.#cursor = outcome.cursor;\n    if (request.dryRun) return outcome.changes;',
    caughtBy: {
      file: 'dry-run.test.ts',
      title: 'leaves the position where it is: the refresh after it reads the same changes',
    },
  },
  {
    name: 'a dry run that meets a wrong delta drops the position',
    promise: 1,
    file: 'rounds.ts',
    find: "error.code === 'invalid-snapshot' && !request.dryRun",
    replace: "error.code === 'invalid-snapshot'",
    caughtBy: {
      file: 'dry-run.test.ts',
      title: 'a dry run that meets a wrong delta leaves the real one its position',
    },
  },
  {
    name: 'a fetch takes a dry run for an answer',
    promise: 1,
    file: 'refresher.ts',
    find: 'this.#options.isWhole(request) && !request.dryRun',
    replace: 'this.#options.isWhole(request)',
    caughtBy: {
      file: 'dry-run.test.ts',
      title: 'a fetch from a source with fetchAll only does not take a dry run for an answer',
    },
  },
  {
    name: 'a dry run and a refresh that wait together are one of the two',
    promise: 6,
    file: 'refresher.ts',
    find: '.find(({ request: { dryRun } }) => dryRun === request.dryRun)',
    replace: '.at(0)',
    caughtBy: {
      file: 'dry-run.test.ts',
      title: 'confirms nothing that is held, and the refresh reads its keys alone',
    },
  },
  {
    name: 'a dry run counts as an answer that confirms a catastrophe',
    promise: 6,
    file: 'whole-round.ts',
    find: 'if (dryRun) return changes;',
    replace: 'if (dryRun) held.hold(verdict, now());\n  if (dryRun) return changes;',
    caughtBy: {
      file: 'dry-run.test.ts',
      title: 'says that its removals would be held, holds nothing, and is no answer that counts',
    },
  },
  {
    name: 'a key that a closed world does not have is asked for',
    promise: 11,
    file: 'parts.ts',
    find: 'missingTtl: closedWorld ? Number.POSITIVE_INFINITY : reader.canRead ? 0 : negativeTtl,',
    replace: 'missingTtl: closedWorld && reader.canRead ? 0 : negativeTtl,',
    caughtBy: NO_CALL,
  },
  {
    name: 'every world is closed',
    promise: 11,
    file: 'parts.ts',
    find: 'missingTtl: closedWorld ? Number.POSITIVE_INFINITY : reader.canRead ? 0 : negativeTtl,',
    replace: 'missingTtl: closedWorld || reader.canRead ? Number.POSITIVE_INFINITY : negativeTtl,',
    caughtBy: { file: 'absent-keys.test.ts', title: 'in an open world a missing key is asked for (*)' },
  },
  {
    name: 'a closed world says absent of a set that is gone',
    promise: 11,
    file: 'store.ts',
    find: "phase === 'gone' || this.live.has(key)",
    replace: "phase === 'none' || this.live.has(key)",
    caughtBy: {
      file: 'absent-keys.test.ts',
      title: 'nothing is absent before the first load, and when the set is gone',
    },
  },
  {
    name: 'a key in quarantine is absent in a closed world',
    promise: 11,
    file: 'store.ts',
    find: 'this.#unsure.has(key) || this.quarantine.has(key)) return undefined;',
    replace: 'this.#unsure.has(key)) return undefined;',
    caughtBy: { file: 'absent-keys.test.ts', title: 'a row that is bad is not absent' },
  },
  {
    name: 'a flood of unknown keys reaches the source',
    promise: 11,
    file: 'loader.ts',
    find: 'if (!absentLimit.isReached(now())) return keys;',
    replace: 'if (now() >= 0 || !absentLimit.isReached(now())) return keys;',
    caughtBy: FLOOD,
  },
  {
    name: 'a flood is let in no more, however much time passes',
    promise: 11,
    file: 'absent-limit.ts',
    find: '(now - this.#at) * this.#perMs',
    replace: '0 * (now - this.#at) * this.#perMs',
    caughtBy: FLOOD,
  },
  {
    name: 'a flood leaves a debt without bound',
    promise: 11,
    file: 'absent-limit.ts',
    find: 'this.#tokens = Math.max(-this.#capacity, this.#tokens - 1);',
    replace: 'this.#tokens -= 1;',
    caughtBy: {
      file: 'absent-keys.test.ts',
      title: 'that comes all at once leaves the debt of one burst behind, and no more',
    },
  },
  {
    name: 'a slow source is asked for a whole flood while each new token is on its way',
    promise: 11,
    file: 'absent-limit.ts',
    find: 'this.#tokens = Math.max(-this.#capacity, this.#tokens - 1);',
    replace: 'this.#tokens = Math.max(0, this.#tokens - 1);',
    caughtBy: {
      file: 'absent-keys.test.ts',
      title: 'that comes all at once leaves the debt of one burst behind, and no more',
    },
  },
  {
    name: 'keys that exist count as a flood',
    promise: 11,
    file: 'loader.ts',
    find: 'if (value === undefined) this.#options.absentLimit.count(this.#options.now());',
    replace: 'if (value !== null) this.#options.absentLimit.count(this.#options.now());',
    caughtBy: {
      file: 'absent-keys.test.ts',
      title: 'does not touch keys that exist: a cold start is not a flood',
    },
  },
  {
    name: 'a flood keeps even known keys from the source',
    promise: 11,
    file: 'loader.ts',
    find: 'if (!isUnknown(key)) return true;',
    replace: 'void isUnknown;',
    caughtBy: {
      file: 'absent-keys.test.ts',
      title: 'does not keep from the source what is known: fresh, stale, or in quarantine',
    },
  },
];
