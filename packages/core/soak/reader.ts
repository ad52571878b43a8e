/** One reader of a cache: does one thing after another, at random, and checks everything it sees. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CACHE_ERROR_CODES, CacheError } from '../src/index.ts';
import type { CheckedCache, Seen } from './checked-cache.ts';
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';
import { FIXED_KEYS, PAIRS, type Truth } from './truth.ts';
import { after, type Row } from './unsteady-source.ts';

const DEEDS = {
  get: 30,
  fetch: 20,
  fetchMany: 8,
  fetchImpatiently: 8,
  fetchFresh: 3,
  fetchUnknown: 6,
  warm: 2,
  derive: 4,
  inspect: 4,
  snapshot: 3,
  invalidate: 4,
  invalidateUnknown: 3,
  invalidateAll: 0.2,
  refresh: 2,
  judge: 0.5,
  report: 1,
} as const;
type Deed = keyof typeof DEEDS;

export interface ReaderParts {
  readonly checked: CheckedCache;
  readonly truth: Truth;
  readonly random: Random;
  readonly faults: Faults;
  /** Shared by all readers, never aborted: whoever leaves a listener on it is found out. */
  readonly signal: AbortSignal;
}

export class Reader {
  /** Operations that were done. */
  done = 0;
  /** Failures of the source that reached a caller, by code. */
  readonly failures: Map<string, number> = new Map();
  /** What is under way, and since when. */
  current: { readonly deed: Deed; readonly since: number } | undefined;
  readonly #parts: ReaderParts;
  readonly #seen: Seen = new Map();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random, faults, checked } = this.#parts;
    while (!isOver()) {
      const deed = random.weighted<Deed>(DEEDS);
      this.current = { deed, since: performance.now() };
      try {
        await this[deed]();
      } catch (error) {
        if (CacheError.isInstance(error)) this.#noteFailure(error);
        else faults.note(`${deed} threw what is no CacheError`, `${checked.name}: ${String(error)}`);
      }
      this.current = undefined;
      this.done += 1;
      if (random.chance(0.3)) await after(random.whole(1, 8));
      else await nextTurn();
    }
  }

  /** Several keys in one turn: rows that were changed together are seen together, where nothing else is read. */
  get(): void {
    const { checked, truth, random, faults } = this.#parts;
    for (let count = 0; count < 10; count += 1) this.#read(truth.someKey(), (key) => checked.cache.get(key));
    const [left, right] = checked.cache.getMany(random.pick(PAIRS));
    if (!checked.canReadKeys && left && right && left.commit !== right.commit) {
      faults.note('two rows of one commit were torn apart', `${checked.name}: ${left.commit}, ${right.commit}`);
    }
  }

  async fetch(): Promise<void> {
    const { checked, truth } = this.#parts;
    await this.#fetch(truth.someKey(), (key) => checked.cache.fetch(key));
  }

  async fetchFresh(): Promise<void> {
    const { checked, truth } = this.#parts;
    await this.#fetch(truth.someKey(), (key) => checked.cache.fetch(key, { fresh: true }));
  }

  async fetchImpatiently(): Promise<void> {
    const { checked, truth, random, signal } = this.#parts;
    const timeout = random.whole(1, 30);
    if (random.chance(0.5)) {
      await this.#fetch(truth.someKey(), (key) => checked.cache.fetch(key, { signal, timeout }));
      return;
    }
    const controller = new AbortController();
    const giveUp = after(timeout).then(() => controller.abort(new Error('enough')));
    try {
      await this.#fetch(truth.someKey(), (key) => checked.cache.fetch(key, { signal: controller.signal }));
    } finally {
      await giveUp;
    }
  }

  async fetchMany(): Promise<void> {
    const { checked, truth, random, faults } = this.#parts;
    const keys = [...new Set(Array.from({ length: random.whole(1, 12) }, () => truth.someKey()))];
    const floors = keys.map((key) => checked.floor(key, this.#seen));
    let found: ReadonlyMap<string, Row>;
    try {
      found = await checked.cache.fetchMany(keys);
      const lost = keys.find((key) => checked.canReadKeys && FIXED_KEYS.includes(key) && !found.has(key));
      if (lost !== undefined) faults.note('a key that always exists was said to be absent', `${checked.name}: ${lost}`);
    } catch (error) {
      if (!CacheError.isInstance(error) || error.partial === undefined) throw error;
      this.#noteFailure(error);
      found = error.partial as ReadonlyMap<string, Row>;
    }
    for (const [index, key] of keys.entries()) checked.check(key, found.get(key), floors[index]!, this.#seen);
  }

  async fetchUnknown(): Promise<void> {
    const { checked, truth, random, faults } = this.#parts;
    const found = await checked.cache.fetchMany(truth.unknownKeys(random.whole(1, 10)));
    if (found.size > 0) faults.note('a key that never existed has a value', `${checked.name}: ${[...found.keys()]}`);
  }

  async warm(): Promise<void> {
    const { checked, truth } = this.#parts;
    await checked.cache.warm([truth.someKey(), truth.someKey(), truth.someKey()]);
  }

  derive(): void {
    const { checked, truth, faults } = this.#parts;
    const key = truth.someKey();
    const [value, derived] = [checked.cache.get(key), checked.derived.get(key)];
    if (value !== derived?.row) faults.note('a derived value is of another value', `${checked.name}: "${key}"`);
    this.#read(key, () => checked.derived.get(key)?.row);
  }

  inspect(): void {
    const { checked, truth } = this.#parts;
    const key = truth.someKey();
    const from = performance.now();
    const inspection = checked.cache.inspect(key);
    checked.checkAge(inspection, from);
    this.#read(key, () => inspection.value);
  }

  /** Stays as it is while time passes, and is closed; now and then by its age. */
  async snapshot(): Promise<void> {
    const { checked, truth, random, faults } = this.#parts;
    const isForgotten = random.chance(0.1);
    const snapshot = checked.cache.snapshot({ maxAge: isForgotten ? 20 : '1m' });
    const keys = Array.from({ length: 10 }, () => truth.someKey());
    const before = { size: snapshot.size, values: snapshot.getMany(keys) };
    await after(random.whole(1, 15));
    // It may have been busy for longer than that.
    if (isForgotten) return;
    const after_ = { size: snapshot.size, values: snapshot.getMany(keys) };
    const isSame = before.size === after_.size && before.values.every((value, index) => value === after_.values[index]);
    if (!isSame) faults.note('a snapshot has changed', `${checked.name}: ${before.size}, then ${after_.size}`);
    snapshot.close();
    try {
      snapshot.get(keys[0]!);
      faults.note('a closed snapshot can be read', checked.name);
    } catch (error) {
      if (!CacheError.isInstance(error) || error.code !== 'stopped') throw error;
    }
  }

  async invalidate(): Promise<void> {
    const { checked, truth, random } = this.#parts;
    await checked.invalidate(Array.from({ length: random.whole(1, 3) }, () => truth.someKey()));
  }

  async invalidateUnknown(): Promise<void> {
    const { checked, truth, random } = this.#parts;
    await checked.cache.invalidate(truth.unknownKeys(random.whole(1, 50)));
  }

  async invalidateAll(): Promise<void> {
    await this.#parts.checked.invalidateAll();
  }

  async refresh(): Promise<void> {
    const { checked, truth, random } = this.#parts;
    const kind = random.pick(['by itself', 'full', 'keys', 'dry'] as const);
    await checked.cache.refresh({
      full: kind === 'full',
      dryRun: kind === 'dry',
      ...(kind === 'keys' && { keys: [truth.someKey(), truth.someKey()] }),
    });
  }

  /** Somebody looks at what is held. */
  judge(): void {
    const { checked, random } = this.#parts;
    if (random.chance(0.5)) checked.cache.accept();
    else checked.cache.reject();
  }

  report(): void {
    const { cache } = this.#parts.checked;
    cache.stats();
    cache.status();
    cache.reports();
  }

  #read(key: string, read: (key: string) => Row | undefined): void {
    const { checked } = this.#parts;
    const floor = checked.floor(key, this.#seen);
    checked.check(key, read(key), floor, this.#seen);
  }

  async #fetch(key: string, fetch: (key: string) => Promise<Row | undefined>): Promise<void> {
    const { checked, faults } = this.#parts;
    const floor = checked.floor(key, this.#seen);
    const value = await fetch(key);
    checked.check(key, value, floor, this.#seen);
    if (value === undefined && checked.canReadKeys && FIXED_KEYS.includes(key)) {
      faults.note('a key that always exists was said to be absent', `${checked.name}: "${key}"`);
    }
  }

  #noteFailure({ code }: CacheError): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
    if (!CACHE_ERROR_CODES.includes(code) || code === 'stopped') {
      this.#parts.faults.note('a read failed with a code that cannot be', `${this.#parts.checked.name}: ${code}`);
    }
  }
}
