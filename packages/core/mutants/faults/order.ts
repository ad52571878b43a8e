/** The fence and what stands before it: lost invalidations, and values that go back in time. */
import type { Fault } from '../fault.ts';

const NEVER_OLD = {
  file: 'lost-invalidation.test.ts',
  title: 'never brings an old value back after * (*, calls *)',
};
const LATER_STAYS = { file: 'never-backwards.test.ts', title: 'keeps the answer that was requested later: *' };

const ANY_ORDER = {
  file: 'overlap.test.ts',
  title: 'in whatever order they were sent, read and landed, around a row that is *',
};

export const ORDER: readonly Fault[] = [
  {
    name: 'an answer is stored though its key was invalidated after it was requested',
    promise: 2,
    file: 'fence.ts',
    find: 'return ticket > this.#markOfAll && ticket > (this.#marks.get(key) ?? 0);',
    replace: 'return ticket > this.#markOfAll;',
    caughtBy: NEVER_OLD,
  },
  {
    name: 'an answer is stored though everything was invalidated after it was requested',
    promise: 2,
    file: 'fence.ts',
    find: 'this.#markOfAll = this.moment();',
    replace: 'this.moment();',
    caughtBy: NEVER_OLD,
  },
  {
    name: 'the fence is dropped in the bulk path: a snapshot brings back what was invalidated while it was read',
    promise: 2,
    file: 'whole-round.ts',
    find: 'new Set(fence.keysMarkedAfter(sent.ticket))',
    replace: 'new Set<string>()',
    caughtBy: NEVER_OLD,
  },
  {
    name: 'a snapshot is published though everything was invalidated while it was read',
    promise: 2,
    file: 'whole-round.ts',
    find: 'if (parts.fence.isOvertaken(sent.ticket)) return undefined;',
    replace: '',
    caughtBy: NEVER_OLD,
  },
  {
    name: 'the fence forgets an invalidation while an older request is still under way',
    promise: 2,
    file: 'fence.ts',
    find: 'if (mark > oldest || left === 0) break;',
    replace: 'if (left === 0) break;',
    caughtBy: { file: 'fence.test.ts', title: 'keeps marks as long as an older request is under way, and no longer' },
  },
  {
    name: 'a key that is written all the time keeps the marks of all others in the fence',
    promise: 2,
    file: 'fence.ts',
    find: 'this.#marks.delete(key);\n    this.#marks.set(key, mark);',
    replace: 'this.#marks.set(key, mark);',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'a key that is written all the time makes the fence keep no marks of others',
    },
  },
  {
    name: 'an invalidated value is left to the readers',
    promise: 2,
    file: 'service.ts',
    find: 'this.#store.forget(keys);',
    replace: '',
    caughtBy: NEVER_OLD,
  },
  {
    name: 'an invalidated key is not read again by itself',
    promise: 2,
    file: 'service.ts',
    find: "this.#parts.refresher.nudge('invalidate', keys);",
    replace: '{}',
    caughtBy: { file: 'lost-invalidation.test.ts', title: 'comes back by itself, without a fetch (*)' },
  },
  {
    name: 'an invalidated key is taken for one that the last refresh did not find',
    promise: 2,
    file: 'store.ts',
    find: 'if (this.base.confirmedAt !== undefined) this.#unsure.add(key);',
    replace: '',
    caughtBy: {
      file: 'lost-invalidation.test.ts',
      title: 'is unknown, not absent, and its neighbours stay (*)',
    },
  },
  {
    name: 'a fetch that waits is served the stale value that was invalidated meanwhile',
    promise: 2,
    file: 'fetching.ts',
    find: `if (!wish.fresh && this.#staleValue(key) !== undefined) {
      const patience = Math.min(softTimeout - (begunAt - flight.startedAt), timeout);
      try {
        if (patience <= 0) throw OUT_OF_PATIENCE;
        const value = await this.#wait(key, flight, wish, patience, () => OUT_OF_PATIENCE);
        counters.miss();
        return value;
      } catch (error) {
        // Looked up again: it may have been invalidated meanwhile.
        const stale = this.#staleValue(key);`,
    replace: `const stale = wish.fresh ? undefined : this.#staleValue(key);
    if (stale !== undefined) {
      const patience = Math.min(softTimeout - (begunAt - flight.startedAt), timeout);
      try {
        if (patience <= 0) throw OUT_OF_PATIENCE;
        const value = await this.#wait(key, flight, wish, patience, () => OUT_OF_PATIENCE);
        counters.miss();
        return value;
      } catch (error) {`,
    caughtBy: {
      file: 'soft-timeout.test.ts',
      title: 'a stale value that is invalidated while it is waited for is not served: the wait goes on',
    },
  },
  {
    name: 'what was derived from a primitive is remembered with its key alone',
    promise: 2,
    file: 'derive.ts',
    find: 'if (known !== undefined && Object.is(known.value, value)) return known.derived;',
    replace: 'if (known !== undefined) return known.derived;',
    caughtBy: { file: 'derive.test.ts', title: 'of primitives is remembered with the key' },
  },
  {
    name: 'a refresh of keys lets the fence forget what it still has to store',
    promise: 2,
    file: 'keys-round.ts',
    find: 'const guard = fence.open();',
    replace: 'const guard = fence.moment();',
    caughtBy: NEVER_OLD,
  },
  {
    name: 'a late single answer overwrites a refresh',
    promise: 14,
    file: 'fence.ts',
    find: 'this.#markOfAll = Math.max(this.#markOfAll, ticket);',
    replace: '',
    caughtBy: { file: 'never-backwards.test.ts', title: 'does not come back by a late single answer (*)' },
  },
  {
    name: 'a snapshot takes back a later invalidation of everything',
    promise: 14,
    file: 'fence.ts',
    find: 'this.#markOfAll = Math.max(this.#markOfAll, ticket);',
    replace: 'this.#markOfAll = ticket;',
    caughtBy: {
      file: 'fence.test.ts',
      title: 'knows what stands for all keys: a snapshot that was stored, and an invalidation of everything',
    },
  },
  {
    name: 'a snapshot overwrites a later single answer, which has left no mark',
    promise: 14,
    file: 'key-reader.ts',
    find: 'fence.stored(key, sent.ticket);',
    replace: '',
    caughtBy: LATER_STAYS,
  },
  {
    name: 'an absent answer leaves no mark: an older snapshot brings the deleted key back',
    promise: 14,
    file: 'key-reader.ts',
    find: 'store.putAbsent(key, confirmedAt);\n        stored();',
    replace: 'store.putAbsent(key, confirmedAt);',
    caughtBy: {
      file: 'never-backwards.test.ts',
      title: 'does not come back by a snapshot that was requested before',
    },
  },
  {
    name: 'a fetch joins a flight that is older than the refresh which has landed since',
    promise: 14,
    file: 'loader.ts',
    find: 'if (isSent && (fresh || !this.#options.fence.admits(key, flight.sentAfter))) return undefined;',
    replace: 'if (isSent && fresh) return undefined;',
    caughtBy: {
      file: 'never-backwards.test.ts',
      title: 'is not told to a fetch that starts after the refresh which left it out, by joining an older one',
    },
  },
  {
    name: 'a key that was fetched while a snapshot was read is not read again by the next delta',
    promise: 14,
    file: 'store.ts',
    find: 'for (const key of later) this.#unsure.add(key);',
    replace: '',
    caughtBy: ANY_ORDER,
  },
  {
    name: 'a key that a fetch has stored after an overlapping delta is not read again',
    promise: 14,
    file: 'key-reader.ts',
    find: 'if (fence.overlapsBulk(sent.ticket)) store.doubt(key);',
    replace: '',
    caughtBy: ANY_ORDER,
  },
  {
    name: 'a delta overwrites what was fetched after it was sent',
    promise: 14,
    file: 'delta-round.ts',
    find: 'new Set(fence.keysMarkedAfter(sent.ticket))',
    replace: 'new Set<string>()',
    caughtBy: { file: 'survivors.test.ts', title: 'a delta does not overwrite what was fetched after it was sent' },
  },
  {
    name: 'a late single answer overwrites a delta',
    promise: 14,
    file: 'round.ts',
    find: 'parts.fence.storedAll(sent.ticket);',
    replace: '',
    caughtBy: ANY_ORDER,
  },
  {
    name: 'a key that a later answer has touched is not read again though a delta has it too',
    promise: 14,
    file: 'store.ts',
    find: 'if (upserts.has(key) || quarantined.has(key)) this.#unsure.add(key);',
    replace: '',
    caughtBy: ANY_ORDER,
  },
  {
    name: 'a key that appeared while a snapshot was read is counted as removed',
    promise: 14,
    file: 'whole-round.ts',
    find: 'without(staged.missing, later)',
    replace: 'staged.missing',
    caughtBy: {
      file: 'never-backwards.test.ts',
      title: 'a key that appeared during a snapshot stays, and is not reported as removed',
    },
  },
  {
    name: 'a value that was fetched while a snapshot was read goes with the old set',
    promise: 14,
    file: 'store.ts',
    find: 'this.#knownOf([...fetchedLater, ',
    replace: 'this.#knownOf([...(fetchedLater.length > 1e6 ? fetchedLater : []), ',
    caughtBy: LATER_STAYS,
  },
  {
    name: 'a row is compared with the one that stood in its place',
    promise: 8,
    file: 'in-step.ts',
    find: 'if (entry?.[0] === key) return entry[1];',
    replace: 'if (entry !== undefined) return entry[1];',
    caughtBy: {
      file: 'in-step.test.ts',
      title: 'is what is held when it is asked for, whatever became of it since the walk began',
    },
  },
  {
    name: 'rows are compared with a set that was replaced meanwhile',
    promise: 8,
    file: 'in-step.ts',
    find: 'if (held !== this.#walked) this.#walkThrough(held);',
    replace: 'if (this.#walked === undefined) this.#walkThrough(held);',
    caughtBy: {
      file: 'in-step.test.ts',
      title: 'is what is held when it is asked for, whatever became of it since the walk began',
    },
  },
];
