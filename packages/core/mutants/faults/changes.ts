/** Following changes: deltas and positions. */
import type { Fault } from '../fault.ts';

const RESYNC = {
  file: 'changes.test.ts',
  title: 'a resync is a whole snapshot in the same round; what it has not changed keeps its object',
};
const BECOMES_SNAPSHOT = {
  file: 'delta-faults.test.ts',
  title: 'becomes a whole snapshot in the same round, which the guard judges',
};

export const CHANGES: readonly Fault[] = [
  {
    name: 'what was invalidated is left to a delta, which never brings it back',
    promise: 2,
    file: 'rounds.ts',
    find: 'new Set([...this.#parts.store.unsure, ...request.keys])',
    replace: 'new Set(request.keys)',
    caughtBy: {
      file: 'changes-invalidate.test.ts',
      title: 'is read again by the next rounds if that fails, until it succeeds',
    },
  },
  {
    name: 'a delta brings back what was invalidated after it was sent',
    promise: 2,
    file: 'delta-round.ts',
    find: 'new Set(fence.keysMarkedAfter(sent.ticket))',
    replace: 'new Set<string>()',
    caughtBy: {
      file: 'changes-invalidate.test.ts',
      title: 'does not come back by a delta that was sent before, and comes back by the round after it',
    },
  },
  {
    name: 'a delta corrects a set that was invalidated while it was read',
    promise: 2,
    file: 'delta-round.ts',
    find: "if (parts.fence.isOvertaken(sent.ticket) || !canBeCorrected(parts)) return 'snapshot';",
    replace: '',
    caughtBy: {
      file: 'changes.test.ts',
      title: 'a delta that arrives when there is nothing left for it to correct is a snapshot instead',
    },
  },
  {
    name: 'a delta follows a set that is gone',
    promise: 2,
    file: 'rounds.ts',
    find: ' || !canBeCorrected(this.#parts)) return false;',
    replace: ') return false;',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'a set that is gone, or was invalidated, is not asked for its changes',
    },
  },
  {
    name: 'each delta begins where the first one began',
    promise: 14,
    file: 'rounds.ts',
    find: 'this.#cursor = outcome.cursor;\n    return both',
    replace: 'return both',
    caughtBy: {
      file: 'changes.test.ts',
      title: 'each delta goes on where the last one ended, also after some that failed',
    },
  },
  {
    name: 'a delta that broke off half-way has moved the position',
    promise: 5,
    file: 'delta-reader.ts',
    find: 'await staging.addAll(delta.upserts);',
    replace: 'await staging.addAll(delta.upserts).catch(() => undefined);',
    caughtBy: {
      file: 'changes.test.ts',
      title: 'each delta goes on where the last one ended, also after some that failed',
    },
  },
  {
    name: 'a resync is taken for an empty delta',
    promise: 5,
    file: 'rounds.ts',
    find: "if (outcome === 'resync') course.reason = 'resync';\n      return undefined;",
    replace: "if (outcome === 'resync') return NO_CHANGES;\n      return undefined;",
    caughtBy: RESYNC,
  },
  {
    name: 'a snapshot after a resync does not say where it stands',
    promise: 14,
    file: 'rounds.ts',
    find: 'if (!request.dryRun) this.#cursor = outcome.cursor;',
    replace: '',
    caughtBy: RESYNC,
  },
  {
    name: 'the rows of a delta go live before it has been read to its end',
    promise: 7,
    file: 'delta-reader.ts',
    find: 'await staging.addAll(delta.upserts);',
    replace:
      'await staging.addAll(delta.upserts);\n  for (const [key, value] of staging.entries) (reading.held() as Map<string, T>).set(key, value);',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'a delta that turns out to be wrong at its last word has shown nothing of what it said before',
    },
  },
  {
    name: 'a row of a delta is a new object though it is equal',
    promise: 8,
    file: 'store.ts',
    find: 'this.#forget(key, sameOf(value, this.staleValue(key)));',
    replace: 'this.#forget(key, structuredClone(value));',
    caughtBy: {
      file: 'changes.test.ts',
      title: 'a row that comes again with an equal value keeps its object, and is no change',
    },
  },
  {
    name: 'a bad row in a delta is let go',
    promise: 9,
    file: 'store.ts',
    find: 'for (const [key, message] of quarantined) if (!later.has(key)) this.putQuarantined(key, message, now);',
    replace: '',
    caughtBy: {
      file: 'delta-faults.test.ts',
      title: 'keeps its last good value, which ages while deltas confirm the others, until a good one comes',
    },
  },
  {
    name: 'a delta makes the last good value of a bad row younger',
    promise: 9,
    file: 'store.ts',
    find: 'const unspoken = [...later, ...this.#unsure, ...this.quarantine.keys()];',
    replace: 'const unspoken = [...later, ...this.#unsure];',
    caughtBy: {
      file: 'delta-faults.test.ts',
      title: 'keeps its last good value, which ages while deltas confirm the others, until a good one comes',
    },
  },
  {
    name: 'an empty delta confirms nothing',
    promise: 10,
    file: 'store.ts',
    find: 'this.#own.putAll(kept, now);\n    this.base.confirm(confirmedAt, now);',
    replace: 'this.#own.putAll(kept, now);\n    if (upserts.size > 0) this.base.confirm(confirmedAt, now);',
    caughtBy: {
      file: 'changes.test.ts',
      title: 'an empty delta confirms everything: what was stale is fresh',
    },
  },
  {
    name: 'a delta confirms what is too old to be seen, and does not show it',
    promise: 10,
    file: 'store.ts',
    find: 'for (const [key, value] of this.#own.hiddenEntries()) if (!kept.has(key)) this.#show(key, value);',
    replace: '',
    caughtBy: {
      file: 'changes.test.ts',
      title: 'an empty delta brings back what was fetched singly and is too old to be seen (*)',
    },
  },
  {
    name: 'a delta confirms what was fetched after it was sent',
    promise: 10,
    file: 'store.ts',
    find: 'const unspoken = [...later, ...this.#unsure, ...this.quarantine.keys()];',
    replace: 'const unspoken = [...this.#unsure, ...this.quarantine.keys()];',
    caughtBy: {
      file: 'overlap.test.ts',
      title: 'deltas have honest ages: one fetched singly keeps its own until a refresh that was sent later',
    },
  },
  {
    name: 'a delta confirms a key that has to be read again',
    promise: 10,
    file: 'store.ts',
    find: 'const unspoken = [...later, ...this.#unsure, ...this.quarantine.keys()];',
    replace: 'const unspoken = [...later, ...this.quarantine.keys()];',
    caughtBy: {
      file: 'overlap.test.ts',
      title: 'a delta that overlap: the fetch, sent later, stays, and the next refresh reads the key again',
    },
  },
  {
    name: 'the age that a delta brings is not believed',
    promise: 10,
    file: 'delta-round.ts',
    find: 'confirmedAt: sent.at - staged.ageMs',
    replace: 'confirmedAt: sent.at',
    caughtBy: {
      file: 'delta-faults.test.ts',
      title: 'a delta may have an age, which is that of everything it confirms',
    },
  },
  {
    name: 'an invalidation during a delta asks a source for single keys that has none',
    promise: 5,
    file: 'rounds.ts',
    find: 'if (keys.length === 0 || !this.#parts.reader.canRead) return NO_CHANGES;',
    replace: 'if (keys.length === 0) return NO_CHANGES;',
    caughtBy: {
      file: 'changes-invalidate.test.ts',
      title: 'an invalidation during a delta asks for single keys only where it can (*)',
    },
  },
  {
    name: 'a delta may remove as much as it likes',
    promise: 6,
    file: 'delta-round.ts',
    find: "if (parted.some((part) => held.isCatastrophe(part.missing.length, part.size, part.emptied))) return 'snapshot';",
    replace: 'void parted;',
    caughtBy: BECOMES_SNAPSHOT,
  },
  {
    name: 'a delta confirms what is held',
    promise: 6,
    file: 'rounds.ts',
    find: 'if (held.size > 0) return false;',
    replace: 'void held;',
    caughtBy: {
      file: 'delta-faults.test.ts',
      title: 'while something is held every round is a snapshot, and afterwards a delta again',
    },
  },
];
