/** Keys: where data comes from, keys that do not exist, and keys of any text. */
import type { Fault } from '../fault.ts';

const NO_WAY_IN = { file: 'one-way-in.test.ts', title: 'nothing that a reader is handed is a way in' };
const ANY_STRING = { file: 'odd-keys.test.ts', title: 'any string is a key, on every path' };

export const KEYS: readonly Fault[] = [
  {
    name: 'fetchMany hands out the map that readers see',
    promise: 1,
    file: 'fetching.ts',
    find: 'if (first === undefined) return found;',
    replace: 'if (first === undefined) return this.#options.store.live;',
    caughtBy: NO_WAY_IN,
  },
  {
    name: "the source's own map is what readers see",
    promise: 1,
    file: 'snapshot-reader.ts',
    find: 'return { entries, quarantined, added, updated, missing, unchanged, ageMs, cursor, published };',
    replace:
      'const own = snapshot.entries instanceof Map ? (snapshot.entries as Map<string, T>) : entries;\n  return { entries: own, quarantined, added, updated, missing, unchanged, ageMs, cursor, published };',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'a map that the source answers stays its own: what it writes there is not read here',
    },
  },
  {
    name: 'what fetchMany answers beyond the keys that were asked for is stored',
    promise: 1,
    file: 'key-reader.ts',
    find: 'for (const key of keys) {\n      answers.push',
    replace: 'for (const key of new Set([...keys, ...found.keys()])) {\n      answers.push',
    caughtBy: {
      file: 'errors-are-never-data.test.ts',
      title: 'what fetchMany answers beyond the keys that were asked for is ignored',
    },
  },
  {
    name: 'a get that finds nothing asks the source',
    promise: 1,
    file: 'service.ts',
    find: 'this.#counters.misses += 1;\n      return undefined;',
    replace: 'this.#counters.misses += 1;\n      void this.warm([key]);\n      return undefined;',
    caughtBy: { file: 'one-way-in.test.ts', title: 'data enters by a fetch or a refresh, and by nothing else' },
  },
  {
    name: 'an absent key is asked for each time',
    promise: 11,
    file: 'negatives.ts',
    find: 'this.#confirmedAt.set(key, confirmedAt);',
    replace: '',
    caughtBy: {
      file: 'negatives.test.ts',
      title: 'a key that does not exist is asked for once in negativeTtl, on every path',
    },
  },
  {
    name: 'a key stays absent for as long as nobody sweeps',
    promise: 11,
    file: 'negatives.ts',
    find: 'return at !== undefined && now - at <= this.#ttl ? at : undefined;',
    replace: 'return at !== undefined && now - at <= Number.POSITIVE_INFINITY ? at : undefined;',
    caughtBy: { file: 'negatives.test.ts', title: 'a key that is confirmed again goes to the end of the line' },
  },
  {
    name: 'absent keys are remembered without bound',
    promise: 11,
    file: 'negatives.ts',
    find: 'const MAX_KEYS = 1_000;',
    replace: 'const MAX_KEYS = 1_000_000;',
    caughtBy: { file: 'negatives.test.ts', title: 'is bounded to a thousand keys, the oldest go first' },
  },
  {
    name: 'the bytes of absent keys are counted as letters',
    promise: 11,
    file: 'negatives.ts',
    find: 'const bytes = Buffer.byteLength(key);',
    replace: 'const bytes = key.length;',
    caughtBy: { file: 'negatives.test.ts', title: 'holds at most 1 MB of keys, counted in bytes' },
  },
  {
    name: 'a deleted absence leaves its bytes behind',
    promise: 11,
    file: 'negatives.ts',
    find: 'if (this.#confirmedAt.delete(key)) this.#bytes -= Buffer.byteLength(key);',
    replace: 'this.#confirmedAt.delete(key);',
    caughtBy: { file: 'negatives.test.ts', title: 'gives back the room of what is deleted or added again' },
  },
  {
    name: 'the absence of a key outlives the snapshot that has it',
    promise: 11,
    file: 'store.ts',
    find: 'for (const key of [...this.#negatives.keys()]) if (entries.has(key)) this.#negatives.delete(key);',
    replace: '',
    caughtBy: { file: 'negatives.test.ts', title: 'that has the key makes an end of its absence' },
  },
  {
    name: 'an absent answer leaves the value that was held',
    promise: 11,
    file: 'store.ts',
    find: 'this.#forget(key);\n    this.#negatives.add(key, confirmedAt);',
    replace: 'this.#negatives.add(key, confirmedAt);',
    caughtBy: { file: 'negatives.test.ts', title: 'an absent answer takes the value away that was held' },
  },
  {
    name: 'an absence is never swept',
    promise: 11,
    file: 'store.ts',
    find: 'this.#negatives.sweep(now);',
    replace: '',
    caughtBy: { file: 'negatives.test.ts', title: 'is swept when its time is over, without a read' },
  },
  {
    name: 'the empty text is no key',
    promise: 12,
    file: 'fetching.ts',
    find: "if (typeof key !== 'string')\n    throw",
    replace: "if (typeof key !== 'string' || key === '')\n    throw",
    caughtBy: ANY_STRING,
  },
  {
    name: 'a row under the empty text fails the snapshot',
    promise: 12,
    file: 'staging.ts',
    find: "if (typeof key !== 'string') throw",
    replace: "if (typeof key !== 'string' || key === '') throw",
    caughtBy: ANY_STRING,
  },
  {
    name: 'a key is trimmed before it is looked for in an answer',
    promise: 12,
    file: 'key-reader.ts',
    find: 'found.get(key)',
    replace: 'found.get(key.trim())',
    caughtBy: ANY_STRING,
  },
  {
    name: 'an answer of several keys becomes an object, which has more names than keys',
    promise: 12,
    file: 'key-reader.ts',
    find: 'found.get(key)',
    replace: '(Object.fromEntries(found) as Record<string, unknown>)[key]',
    caughtBy: {
      file: 'survivors.test.ts',
      title: 'several odd keys that do not exist are absent, and nothing that every object has (*)',
    },
  },
  {
    name: 'a registry writes the statistics of a cache to its prototype',
    promise: 12,
    file: 'registry.ts',
    find: 'return Object.fromEntries([...this].map((cache) => [cache.name, cache.stats()]));',
    replace:
      'const all: Record<string, CacheStats> = {};\n    for (const cache of this) all[cache.name] = cache.stats();\n    return all;',
    caughtBy: { file: 'registry.test.ts', title: 'takes any name' },
  },
];
