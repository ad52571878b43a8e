/**
 * Random, repeatable histories of reads, writes at the source, invalidations, refreshes and answers that land in any
 * order, checked against a model that is as small as the promise: requests are numbered in the order in which they
 * are sent, and every value carries the number of its request.
 */
import { describe, expect, test } from 'vitest';
import { type FetchContext, type Source, TTLCacheService } from '../src/index.ts';
import { settle, VirtualClock } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { SHAPES } from './support/set-up.ts';

expectNoUnhandledRejections();

interface Value {
  readonly version: number;
  readonly request: number;
}

interface Call {
  readonly land: () => void;
  readonly fail: () => void;
}

const KEYS = [...'abcd'];
const HISTORIES = 60;
const STEPS = 70;

/** A table whose answers hold what was true when they were requested, and land when the history says so. */
class Table {
  readonly versions = new Map<string, number>();
  readonly calls: Call[] = [];
  requests = 0;
  held = true;
  readonly #isStream: () => boolean;

  constructor(isStream: () => boolean) {
    this.#isStream = isStream;
  }

  source(methods: readonly string[]): Source<Value> {
    return {
      ...(methods.includes('fetchAll') && { fetchAll: (context) => this.#all(context) }),
      ...(methods.includes('fetchOne') && { fetchOne: async (key) => (await this.#rows([key])).get(key) }),
      ...(methods.includes('fetchMany') && { fetchMany: (keys) => this.#rows(keys) }),
    };
  }

  #rows(keys: Iterable<string>): Promise<Map<string, Value>> {
    this.requests += 1;
    const request = this.requests;
    const rows = new Map<string, Value>();
    for (const key of keys) {
      const version = this.versions.get(key);
      if (version !== undefined) rows.set(key, { version, request });
    }
    const { promise, resolve, reject } = Promise.withResolvers<Map<string, Value>>();
    if (this.held) this.calls.push({ land: () => resolve(rows), fail: () => reject(new Error('down')) });
    else resolve(rows);
    return promise;
  }

  async #all(_: FetchContext): Promise<Iterable<[string, Value]> | AsyncIterable<[string, Value]>> {
    if (!this.#isStream()) return this.#rows(this.versions.keys());
    const rows = this.#rows(this.versions.keys());
    const { requests, versions } = this;
    const first = [...versions]
      .slice(0, 2)
      .map(([key, version]): [string, Value] => [key, { version, request: requests }]);
    rows.catch(() => undefined);
    return (async function* () {
      yield* first;
      for (const [key, value] of await rows) if (!first.some(([yielded]) => yielded === key)) yield [key, value];
    })();
  }
}

async function runHistory(methods: readonly string[], seed: number): Promise<void> {
  const clock = new VirtualClock(seed);
  const dice = new VirtualClock(seed * 7_919 + 1);
  const roll = (sides: number): number => Math.floor(dice.random() * sides);
  const table = new Table(() => roll(2) === 0);
  const source = table.source(methods);
  for (const key of KEYS) table.versions.set(key, 0);
  const options = {
    ttl: '3m',
    staleIfError: '10m',
    timeout: '20s',
    refreshTimeout: '20s',
    negativeTtl: roll(2) * 10_000,
  } as const;
  const cache = new TTLCacheService<Value>({ name: 'test', source, clock, ...options });

  /** Requests up to this one were sent before the last invalidation of the key. */
  const floor = new Map<string, number>(KEYS.map((key) => [key, 0]));
  /** The latest request of which a reader has seen an answer in memory. */
  const seen = new Map<string, number>(KEYS.map((key) => [key, 0]));
  let writes = 0;
  const waiting = new Set<Promise<unknown>>();
  const anyKey = (): string => KEYS[roll(KEYS.length)]!;

  const look = (): void => {
    for (const key of KEYS) {
      const value = cache.get(key);
      if (value === undefined) continue;
      expect(value.request).toBeGreaterThan(floor.get(key)!);
      expect(value.request).toBeGreaterThanOrEqual(seen.get(key)!);
      seen.set(key, value.request);
    }
    expect(cache.stats().entries).toBe(cache.size);
  };
  /** A read that starts now: nothing it is told was requested before what it must not be told any more. */
  const read = (keys: readonly string[], answer: Promise<ReadonlyMap<string, Value>>): void => {
    const atStart = keys.map((key) => [key, floor.get(key)!, seen.get(key)!] as const);
    const checked = answer.then(
      (found) => {
        for (const [key, invalidated, visible] of atStart) {
          const value = found.get(key);
          if (value === undefined) continue;
          expect(value.request).toBeGreaterThan(invalidated);
          expect(value.request).toBeGreaterThanOrEqual(visible);
        }
      },
      (error: { code?: string }) => expect(error.code).toMatch(/source|breaker|invalid-snapshot/),
    );
    waiting.add(checked);
    checked.then(
      () => waiting.delete(checked),
      () => undefined,
    );
  };
  const single = async (key: string, fresh: boolean): Promise<ReadonlyMap<string, Value>> => {
    const value = await cache.fetch(key, { fresh });
    return new Map(value && [[key, value]]);
  };
  const invalidate = async (keys: readonly string[], run: () => Promise<void>): Promise<void> => {
    const { requests } = table;
    // Its nudge may send a request before it resolves: that one is after it.
    await run();
    for (const key of keys) floor.set(key, requests);
  };

  const actions: readonly (() => unknown)[] = [
    () => {
      writes += 1;
      if (roll(4) === 0) table.versions.delete(anyKey());
      else table.versions.set(anyKey(), writes);
    },
    () => {
      const key = anyKey();
      read([key], single(key, false));
    },
    () => {
      const key = anyKey();
      read([key], single(key, true));
    },
    () => {
      const keys = KEYS.slice(roll(3));
      read(keys, cache.fetchMany(keys, { fresh: roll(2) === 0 }));
    },
    () => waiting.add(cache.warm([anyKey(), anyKey()])),
    () => waiting.add(cache.refresh()),
    () => waiting.add(cache.refresh({ keys: [anyKey(), anyKey()] })),
    () => {
      const key = anyKey();
      return invalidate([key], () => cache.invalidate(key));
    },
    () => invalidate(KEYS.slice(2), () => cache.invalidate(KEYS.slice(2))),
    () => (roll(3) === 0 ? invalidate(KEYS, () => cache.invalidateAll()) : undefined),
    () => (roll(3) === 0 ? clock.advance(roll(40_000)) : undefined),
    ...Array.from({ length: 6 }, () => () => {
      const [call] = table.calls.splice(roll(table.calls.length), 1);
      if (roll(6) === 0) call?.fail();
      else call?.land();
    }),
  ];

  if (roll(2) === 0) waiting.add(cache.start());
  for (let step = 0; step < STEPS; step += 1) {
    await actions[roll(actions.length)]!();
    look();
    for (let turn = roll(12); turn > 0; turn -= 1) await undefined;
    look();
  }

  // Everything lands, and the source is well again: the cache is what the table is.
  table.held = false;
  for (const call of table.calls) call.land();
  await clock.advance('2m');
  look();
  await Promise.all(waiting);
  const report = await cache.refresh();
  expect(report.outcome).not.toBe('failed');
  look();
  for (const [key, value] of cache.entries()) expect(value.version).toBe(table.versions.get(key));
  if (source.fetchAll !== undefined) expect(cache.size).toBe(table.versions.size);
  for (const key of KEYS) {
    const fetched = await cache.fetch(key, { fresh: true });
    expect(fetched?.version).toBe(table.versions.get(key));
  }
  await cache.stop();
  await settle();
  expect(clock.pendingTimers).toBe(0);
}

describe.each(SHAPES)('over random histories, with $shape', ({ methods }) => {
  test('no read returns what was requested before an invalidation, nothing goes backwards, and all ends well', async () => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      await runHistory(methods, seed).catch((error: unknown) => {
        throw new Error(`history ${seed}`, { cause: error });
      });
    }
  });
});
