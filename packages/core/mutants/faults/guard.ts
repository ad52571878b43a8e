/** Catastrophes: what is held, for how long, and what ends it. */
import type { Fault } from '../fault.ts';

const AGED = {
  file: 'held.test.ts',
  title: 'keep the age they have: they become stale, then they are gone, while the others stay fresh',
};
const CONFIRMED = { file: 'guard.test.ts', title: 'needs as many answers in a row as the guard says' };
const JUDGED_AGAIN = {
  file: 'guard.test.ts',
  title: 'that confirms some removals is judged again for the others, by what is left',
};
const REJECTED = {
  file: 'held.test.ts',
  title: 'keeps the rows, however often the source repeats itself, until accept()',
};
const AT_THE_SHARE = {
  file: 'guard.test.ts',
  title: 'that lacks more than the share of enough rows is held; at the share, or of fewer rows, it is not',
};

export const GUARD: readonly Fault[] = [
  {
    name: 'a snapshot that empties a small table is believed at once',
    promise: 6,
    file: 'held.ts',
    find: 'count > 0 && (emptied || (size >= minRows && count > maxRemovedShare * size))',
    replace: 'count > 0 && !(emptied && size < minRows) && size >= minRows && count > maxRemovedShare * size',
    caughtBy: {
      file: 'guard.test.ts',
      title: 'that empties a table, however small, is held, and the second answer makes it true',
    },
  },
  {
    name: 'a removal of just the share is held',
    promise: 6,
    file: 'held.ts',
    find: 'count > maxRemovedShare * size',
    replace: 'count >= maxRemovedShare * size',
    caughtBy: AT_THE_SHARE,
  },
  {
    name: 'the share counts for a few rows as well',
    promise: 6,
    file: 'held.ts',
    find: 'size >= minRows && count',
    replace: 'size > 0 && minRows > 0 && count',
    caughtBy: AT_THE_SHARE,
  },
  {
    name: 'the first answer confirms itself',
    promise: 6,
    file: 'held.ts',
    find: '(this.#answers.get(key) ?? 0) + 1',
    replace: '(this.#answers.get(key) ?? 1) + 1',
    caughtBy: CONFIRMED,
  },
  {
    name: 'one answer more than the guard says is needed',
    promise: 6,
    file: 'held.ts',
    find: 'held.get(key)! >= this.#guard.acceptAfter',
    replace: 'held.get(key)! > this.#guard.acceptAfter',
    caughtBy: CONFIRMED,
  },
  {
    name: 'any two answers confirm each other, whatever they lack',
    promise: 6,
    file: 'held.ts',
    find: '(this.#answers.get(key) ?? 0) + 1',
    replace: 'Math.max(0, ...this.#answers.values()) + 1',
    caughtBy: {
      file: 'guard.test.ts',
      title: 'that lacks other rows than the last one confirms nothing, however often',
    },
  },
  {
    name: 'answers that lacked a row count though the row came back in between',
    promise: 6,
    file: 'held.ts',
    find: 'this.#answers = held;',
    replace: 'this.#answers = new Map([...this.#answers, ...held]);',
    caughtBy: {
      file: 'guard.test.ts',
      title: 'that has the rows again ends it: the next catastrophe needs as many answers as the first',
    },
  },
  {
    name: 'what was rejected goes when a part of it has come back',
    promise: 6,
    file: 'held.ts',
    find: 'missing.filter((key) => !this.#rejected || !this.has(key))',
    replace: 'missing',
    caughtBy: {
      file: 'held.test.ts',
      title: 'keeps those that stay away when others come back, and judges what else goes as ever',
    },
  },
  {
    name: 'what is left after a confirmation is not judged again',
    promise: 6,
    file: 'held.ts',
    find: 'if (this.isCatastrophe(held.size, left, emptied)) return { removed: agreed, held, of: left };',
    replace: '',
    caughtBy: JUDGED_AGAIN,
  },
  {
    name: 'the rows that are held go all the same',
    promise: 6,
    file: 'store.ts',
    find: '...refused.keys(), ...this.#options.held.keys()]);',
    replace: '...refused.keys()]);',
    caughtBy: {
      file: 'guard.test.ts',
      title: 'that empties a table, however small, is held, and the second answer makes it true',
    },
  },
  {
    name: 'nothing of a snapshot goes live while some of its removals are held',
    promise: 6,
    file: 'whole-round.ts',
    find: 'held.hold(verdict, now());',
    replace: 'held.hold(verdict, now());\n    if (held.size > 0) return;',
    caughtBy: { file: 'guard.test.ts', title: 'whose removals are held is live with all else that it says' },
  },
  {
    name: 'the age of a held row is renewed',
    promise: 6,
    file: 'store.ts',
    find: 'if (known !== undefined) found.set(key, known);',
    replace:
      'if (known !== undefined)\n        found.set(key, { ...known, since: this.#options.held.has(key) ? this.#options.clock.now() : known.since });',
    caughtBy: AGED,
  },
  {
    name: 'a held row is not shown once it is stale',
    promise: 6,
    file: 'store.ts',
    find: ' || options.held.has(key)',
    replace: '',
    caughtBy: {
      file: 'held.test.ts',
      title: 'stay visible when they are stale also where no timer sees to the others',
    },
  },
  {
    name: 'a rejected removal is made true by its repetition',
    promise: 6,
    file: 'held.ts',
    find: 'this.#rejected ? [] : missing.filter(',
    replace: 'missing.filter(',
    caughtBy: REJECTED,
  },
  {
    name: 'a rejection outlives the rows that came back',
    promise: 6,
    file: 'held.ts',
    find: 'if (held.size === 0) this.#rejected = false;',
    replace: '',
    caughtBy: {
      file: 'held.test.ts',
      title: 'ends when the rows come back: the next catastrophe is judged as if nothing had been',
    },
  },
  {
    name: 'a row of which something newer is known is still held',
    promise: 6,
    file: 'store.ts',
    find: 'this.#unsure.delete(key);\n    this.#release(key);\n    if (value === undefined)',
    replace: 'this.#unsure.delete(key);\n    if (value === undefined)',
    caughtBy: {
      file: 'held.test.ts',
      title: 'settles that key: present, it is no longer held; absent, it is gone',
    },
  },
  {
    name: 'what is held survives an invalidation of everything',
    promise: 6,
    file: 'store.ts',
    find: 'this.#options.held.clear();',
    replace: '',
    caughtBy: {
      file: 'guard.test.ts',
      title: 'anything, after everything was invalidated: what was held is forgotten too',
    },
  },
  {
    name: 'accept() only forgets that something was held',
    promise: 6,
    file: 'service.ts',
    find: 'this.#store.remove(removed);',
    replace: '',
    caughtBy: { file: 'held.test.ts', title: 'makes true what is held, at once and for all to see' },
  },
  {
    name: 'new rows make a catastrophe look smaller',
    promise: 6,
    file: 'held.ts',
    find: 'this.size === 0 ? size : Math.min(size, this.#of.get(name) ?? size)',
    replace: 'size',
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'is no smaller a catastrophe for rows that come meanwhile',
    },
  },
  {
    name: 'the first load is judged by what was fetched before it',
    promise: 6,
    file: 'whole-round.ts',
    find: "store.base.phase === 'none'",
    replace: "store.base.phase === 'gone'",
    caughtBy: { file: 'guard.test.ts', title: 'the first load, though it lacks what was fetched before it' },
  },
  {
    name: 'a row that is gone by age is still held',
    promise: 6,
    file: 'own-entries.ts',
    find: 'this.#options.onGone(key);',
    replace: '',
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'is released when its age ends, though no refresh has looked at it since',
    },
  },
  {
    name: 'the state does not say that the last held row has come back',
    promise: 6,
    file: 'store.ts',
    find: 'this.#options.onReleased();',
    replace: '',
    caughtBy: {
      file: 'held-release.test.ts',
      title: 'the state says so at once when a single fetch brings back the last of them (*)',
    },
  },
  {
    name: 'a snapshot under way brings back what was accepted, and tells nobody',
    promise: 6,
    file: 'service.ts',
    find: 'for (const key of removed) fence.invalidate(key);',
    replace: 'void fence;',
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'and is accepted while a snapshot is read, comes back by the next one, and is told of',
    },
  },
];
