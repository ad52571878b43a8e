/** What a refresh shows and when: atomic publication, identity, bad rows. */
import type { Fault } from '../fault.ts';

const WHOLE_OR_NOT = {
  file: 'atomic.test.ts',
  title: 'is seen whole or not at all, at every turn of the event loop and by every listener',
};
const KEEPS_OBJECT = {
  file: 'identity.test.ts',
  title: 'an unchanged row keeps its object over refreshes of every kind, and over single fetches',
};
const OVERLAP = { file: 'identity.test.ts', title: 'keeps its object if a single answer and a snapshot overlap' };
const NO_READER = {
  file: 'freeze.test.ts',
  title: 'no reader can change what others read, whatever way it came in',
};
const BAD_ROW = {
  file: 'quarantine.test.ts',
  title: 'a bad row keeps its last good value, is listed, and all other rows go live',
};
const NEVER_GOOD = {
  file: 'quarantine.test.ts',
  title: 'a bad row without a last good value is never absent: fetch throws source-failed',
};

export const ROUNDS: readonly Fault[] = [
  {
    name: 'rows go live while the snapshot is still being read',
    promise: 7,
    file: 'staging.ts',
    find: 'this.entries.set(key, value);',
    replace: 'this.entries.set(key, value);\n      (this.#reading.held() as Map<string, T>).set(key, value);',
    caughtBy: WHOLE_OR_NOT,
  },
  {
    name: 'a refresh of keys stores each answer as it comes',
    promise: 7,
    file: 'keys-round.ts',
    find: 'answers.push(...found);',
    replace: 'reader.store(found);\n        answers.push(...found);',
    caughtBy: WHOLE_OR_NOT,
  },
  {
    name: 'a refresh of keys that an outage ends half-way shows its first half',
    promise: 7,
    file: 'keys-round.ts',
    find: 'if (first !== undefined && (answers.length === 0 || calls.areRefused)) throw first;',
    replace: 'if (first !== undefined && answers.length === 0) throw first;',
    caughtBy: { file: 'atomic.test.ts', title: 'by keys that fails half-way has changed nothing' },
  },
  {
    name: 'a snapshot is poured into the map that somebody iterates over',
    promise: 7,
    file: 'store.ts',
    find: 'this.live = entries;',
    replace: 'this.live.clear();\n    for (const [key, value] of entries) this.live.set(key, value);',
    caughtBy: {
      file: 'atomic.test.ts',
      title: 'that streams is not seen before its end; an iteration begun before goes on over the old set',
    },
  },
  {
    name: 'a snapshot of many rows is read without a pause',
    promise: 7,
    file: 'slice.ts',
    find: 'return this.#steps % STEPS_PER_LOOK === 0 && performance.now() > this.#endsAt;',
    replace: 'return this.#steps < STEPS_PER_LOOK && performance.now() > Number.POSITIVE_INFINITY;',
    caughtBy: {
      file: 'atomic.test.ts',
      title: 'of many rows is read in slices: others run in between, and see nothing of it',
    },
  },
  {
    name: 'a change is told before it can be seen',
    promise: 7,
    file: 'round.ts',
    find: '  store();\n',
    replace: '  announce(parts, changes);\n  store();\n',
    caughtBy: { file: 'survivors-refreshes.test.ts', title: 'who hears of a change reads what has changed' },
  },
  {
    name: 'listeners hear of a bad row before the rest of the answer is stored',
    promise: 7,
    file: 'key-reader.ts',
    find: 'bad.push({ key, message: row.problem });',
    replace: "this.#options.events.emit('quarantine', { key, message: row.problem });",
    caughtBy: { file: 'atomic.test.ts', title: 'listeners of a refresh by keys hear of bad rows when all is stored' },
  },
  {
    name: 'an equal row is a new object after each refresh',
    promise: 8,
    file: 'same.ts',
    find: 'return isDeepStrictEqual(held, value) ? held : value;',
    replace: 'isDeepStrictEqual(held, value);\n    return value;',
    caughtBy: KEEPS_OBJECT,
  },
  {
    name: 'an equal row in a refresh of keys is a new object if a fetch has landed meanwhile',
    promise: 8,
    file: 'store.ts',
    find: 'const value = sameOf(prepared, this.staleValue(key));',
    replace: 'const value = prepared;',
    caughtBy: {
      file: 'survivors-refreshes.test.ts',
      title: 'a refresh of keys keeps the equal object that a fetch has stored while it waited for other keys',
    },
  },
  {
    name: 'an equal row in a snapshot is a new object if a single answer has landed meanwhile',
    promise: 8,
    file: 'store.ts',
    find: 'if (value !== undefined) entries.set(key, sameOf(value, this.staleValue(key)));',
    replace: '',
    caughtBy: OVERLAP,
  },
  {
    name: 'no value is frozen',
    promise: 8,
    file: 'store.ts',
    find: 'return same === held || !this.#options.freeze ? same : deepFreeze(same);',
    replace: 'void deepFreeze;\n    return same;',
    caughtBy: NO_READER,
  },
  {
    name: 'a value is frozen at the top alone',
    promise: 8,
    file: 'freeze.ts',
    find: "for (const child of Object.values(object)) if (typeof child === 'object' && child !== null) pending.push(child);",
    replace: '',
    caughtBy: NO_READER,
  },
  {
    name: 'what is frozen at the top is taken for frozen to the bottom',
    promise: 8,
    file: 'freeze.ts',
    find: 'walked.add(object);',
    replace: 'walked.add(object);\n      continue;',
    caughtBy: { file: 'freeze.test.ts', title: 'goes to the bottom of what is frozen at the top' },
  },
  {
    name: 'an object that is no plain data is frozen',
    promise: 8,
    file: 'freeze.ts',
    find: 'return prototype === null || Object.getPrototypeOf(prototype) === null;',
    replace: 'return prototype === null || Object.getPrototypeOf(prototype) !== prototype;',
    caughtBy: {
      file: 'identity.test.ts',
      title: 'a * is kept as it is, compared structurally, and not frozen',
    },
  },
  {
    name: 'what was derived is computed anew at each read',
    promise: 8,
    file: 'derive.ts',
    find: 'byObject.set(value, { derived });',
    replace: '',
    caughtBy: {
      file: 'derive.test.ts',
      title: 'computes once per value, over refreshes that change nothing, and anew when the row has changed',
    },
  },
  {
    name: 'a memo takes its arguments for each other',
    promise: 8,
    file: 'derive.ts',
    find: 'for (const input of [...objects, ...inputs]) node = node.next(input);',
    replace: 'for (const input of new Set([...objects, ...inputs])) node = node.next(input);',
    caughtBy: { file: 'derive.test.ts', title: 'tells the positions of its arguments apart' },
  },
  {
    name: 'one bad row fails the whole snapshot',
    promise: 9,
    file: 'staging.ts',
    find: 'this.quarantined.set(key, checked.problem);',
    replace: 'throw this.#reading.invalid(checked.problem, { key });',
    caughtBy: BAD_ROW,
  },
  {
    name: 'a bad row goes live as it is',
    promise: 9,
    file: 'staging.ts',
    find: 'const checked = check(row);',
    replace: 'const checked: ReturnType<typeof check> = { value: row as T };',
    caughtBy: BAD_ROW,
  },
  {
    name: 'a bad row in a snapshot loses its last good value',
    promise: 9,
    file: 'store.ts',
    find: 'for (const key of refused.keys()) keep(key);',
    replace: '',
    caughtBy: BAD_ROW,
  },
  {
    name: 'the last good value of a bad row is made younger by each refresh that finds the row bad',
    promise: 9,
    file: 'store.ts',
    find: 'for (const [key, { value, since }] of kept) this.#own.put(key, value, since, now);',
    replace:
      'for (const [key, { value, since }] of kept) this.#own.put(key, value, refused.has(key) ? now : since, now);',
    caughtBy: BAD_ROW,
  },
  {
    name: 'the last good value of a bad row is made younger by a single answer that finds the row bad',
    promise: 9,
    file: 'store.ts',
    find: 'this.#putOwn(key, known.value, known.since);',
    replace: 'this.#putOwn(key, known.value, this.#options.clock.now());',
    caughtBy: BAD_ROW,
  },
  {
    name: 'a bad row that was never good is absent',
    promise: 9,
    file: 'key-reader.ts',
    find: "return { error: calls.error('source-failed', `the row",
    replace: "if (ttl >= 0) return { value: undefined };\n      return { error: calls.error('source-failed', `the row",
    caughtBy: NEVER_GOOD,
  },
  {
    name: 'one bad row fails all keys of its fetchMany',
    promise: 9,
    file: 'loader.ts',
    find: 'outcomes.then((all) => valueFrom(all[index]!))',
    replace: 'outcomes.then((all) => all.map(valueFrom)[index]!)',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'a bad row in an answer of several keys fails its own key alone (*)',
    },
  },
  {
    name: 'a row that is good again stays in quarantine',
    promise: 9,
    file: 'store.ts',
    find: 'this.quarantine.delete(key);\n    this.#putOwn(key, value, confirmedAt);',
    replace: 'this.#putOwn(key, value, confirmedAt);',
    caughtBy: {
      file: 'quarantine.test.ts',
      title: 'a bad row that is fetched alone leaves its last good value, which a fresh fetch is not given',
    },
  },
  {
    name: 'a schema that throws fails the whole snapshot',
    promise: 9,
    file: 'schema.ts',
    find: '} catch {\n      return threw();',
    replace: '} catch (error) {\n      throw error;',
    caughtBy: BAD_ROW,
  },
  {
    name: 'a row that is nested too deep to be compared fails the whole snapshot',
    promise: 9,
    file: 'same.ts',
    find: '} catch {\n    // Nested too deep to be compared: it counts as changed.\n    return value;',
    replace: '} catch (error) {\n    throw error;',
    caughtBy: { file: 'identity.test.ts', title: 'cost nobody else anything: they count as changed (*)' },
  },
];
