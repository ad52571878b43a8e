import { describe, expect, test } from 'vitest';
import { aged, type Source, TTLCacheService } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, ON_DEMAND, SHAPES, SteadyClock, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

type Answer = Awaited<ReturnType<NonNullable<Source<string>['fetchAll']>>>;

async function* stream(...entries: readonly unknown[]): AsyncGenerator<readonly [string, string]> {
  for (const entry of entries) {
    if (entry instanceof Error) throw entry;
    yield entry as readonly [string, string];
  }
}

function* list(...entries: readonly unknown[]): Generator<readonly [string, string]> {
  for (const entry of entries) {
    if (entry instanceof Error) throw entry;
    yield entry as readonly [string, string];
  }
}

const BROKEN = new Error('connection reset');
const A = ['a', 'new'];

/** What a source may answer for a snapshot that is none. */
const NO_SNAPSHOTS: readonly { readonly fault: string; readonly answer: () => unknown; readonly code: string }[] = [
  { fault: 'fails', answer: () => Promise.reject(BROKEN), code: 'source-failed' },
  { fault: 'fails with what is no Error', answer: () => Promise.reject('down'), code: 'source-failed' },
  { fault: 'fails with undefined', answer: () => Promise.reject(undefined), code: 'source-failed' },
  { fault: 'stream fails before its first row', answer: () => stream(BROKEN), code: 'source-failed' },
  { fault: 'list fails before its first row', answer: () => list(BROKEN), code: 'source-failed' },
  { fault: 'stream breaks off half-way', answer: () => stream(A, BROKEN), code: 'invalid-snapshot' },
  { fault: 'list breaks off half-way', answer: () => list(A, BROKEN), code: 'invalid-snapshot' },
  { fault: 'has a key twice', answer: () => [A, ['b', 'new'], A], code: 'invalid-snapshot' },
  { fault: 'has a key that is a number', answer: () => [A, [1, 'new']], code: 'invalid-snapshot' },
  { fault: 'has no key', answer: () => [A, [undefined, 'new']], code: 'invalid-snapshot' },
  { fault: 'has an undefined value', answer: () => [A, ['b', undefined]], code: 'invalid-snapshot' },
  { fault: 'has an undefined value in a stream', answer: () => stream(A, ['b', undefined]), code: 'invalid-snapshot' },
  { fault: 'is a list of objects, not of pairs', answer: () => [{ key: 'a' }], code: 'invalid-snapshot' },
  { fault: 'has a text of two letters for a pair', answer: () => [A, 'bc'], code: 'invalid-snapshot' },
  { fault: 'has a text for a pair in a stream', answer: () => stream(A, 'bc'), code: 'invalid-snapshot' },
  { fault: 'is a list of texts of two letters', answer: () => new Set(['ab', 'bc']), code: 'invalid-snapshot' },
  { fault: 'has an object for a pair', answer: () => [A, { 0: 'b', 1: 'new' }], code: 'invalid-snapshot' },
  { fault: 'has a hole', answer: () => [A, undefined], code: 'invalid-snapshot' },
  { fault: 'is undefined', answer: () => undefined, code: 'invalid-snapshot' },
  { fault: 'is null', answer: () => null, code: 'invalid-snapshot' },
  { fault: 'is a text', answer: () => 'ab', code: 'invalid-snapshot' },
  { fault: 'is an object that is not iterable', answer: () => ({ a: 'new' }), code: 'invalid-snapshot' },
  { fault: 'has entries that are not iterable', answer: () => ({ entries: { a: 'new' } }), code: 'invalid-snapshot' },
  { fault: 'has a negative age', answer: () => ({ entries: [A], ageMs: -1 }), code: 'invalid-snapshot' },
  {
    fault: 'has an age that is no number',
    answer: () => ({ entries: [A], ageMs: Number.NaN }),
    code: 'invalid-snapshot',
  },
  {
    fault: 'is older than anything that is served',
    answer: () => ({ entries: [A], ageMs: 400_000 }),
    code: 'invalid-snapshot',
  },
];

describe('a snapshot that', () => {
  for (const { fault, answer, code } of NO_SNAPSHOTS) {
    test(`${fault} changes nothing that readers see`, async () => {
      const clock = new SteadyClock();
      let next = (): unknown =>
        new Map([
          ['a', 'old'],
          ['b', 'old'],
        ]);
      const cache = new TTLCacheService<string>({
        name: 'test',
        source: { fetchAll: async () => next() as Answer },
        clock,
        ttl: '5m',
        staleIfError: '1m',
      });
      await cache.start();
      const changes: unknown[] = [];
      cache.on('change', (change) => changes.push(change));
      next = answer;
      const report = await cache.refresh();
      expect(report).toMatchObject({
        outcome: 'failed',
        generation: 1,
        added: 0,
        updated: 0,
        removed: 0,
        error: { code },
      });
      expect(report.error!.message).toContain('cache "test"');
      expect([...cache.entries()]).toEqual([
        ['a', 'old'],
        ['b', 'old'],
      ]);
      expect(changes).toEqual([]);
      expect(cache.status()).toMatchObject({ state: 'degraded', generation: 1, ageMs: 0 });
      expect(cache.stats()).toMatchObject({ refreshFailures: 1, sourceFailures: 1 });
      // And it heals by itself.
      next = () => [['a', 'new']];
      await clock.advance('1m');
      expect([...cache.entries()]).toEqual([['a', 'new']]);
      expect(cache.status().state).toBe('live');
      await cache.stop();
    });
  }

  test('is broken by its own fault is an answer: it does not open the breaker; a torn one does', async () => {
    for (const [answer, breaker] of [
      [() => [A, A], 'closed'],
      [() => undefined, 'closed'],
      [() => stream(A, Object.assign(new Error('no such column'), { reachable: true })), 'closed'],
      [() => stream(A, BROKEN), 'open'],
    ] as const) {
      const source: Source<string> = { fetchAll: async () => answer() as Answer };
      const cache = new TTLCacheService<string>({ name: 'test', source, clock: new SteadyClock() });
      for (let call = 1; call <= 3; call += 1) await cache.refresh();
      expect(cache.status().breaker).toBe(breaker);
    }
  });
});

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('a failing source throws where nothing is held; it never says absent', async () => {
    for (const behaviour of ['fail', 'refuse'] as const) {
      const { source, cache } = setUp({ methods, rows: [['a', 'a']] });
      source.behave(behaviour);
      await expect(cache.fetch('a')).rejects.toMatchObject({ code: 'source-failed' });
      const many = await cache.fetchMany(['a', 'b']).catch((error: unknown) => error);
      expect(many).toMatchObject({ code: 'source-failed', key: undefined, partial: new Map() });
      expect(cache.inspect('a').state).toBe('unknown');
      expect(cache.stats()).toMatchObject({ entries: 0, negatives: 0 });
      source.behave('answer');
      expect(await cache.fetch('a')).toBe('a');
    }
  });

  test('through an outage what was held is served for staleIfError, and then nothing, not absent', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']], staleIfError: '1h' });
    const { source, cache, clock } = set;
    await load(set);
    source.behave('fail');
    await clock.advance('1h');
    expect(await cache.fetch('a')).toBe('a');
    expect((await cache.fetchMany(['a'])).get('a')).toBe('a');
    expect(cache.get('a')).toBe('a');
    expect(cache.status().state).toBe('degraded');
    await expect(cache.fetch('a', { fresh: true })).rejects.toMatchObject({ cache: 'test' });
    await expect(cache.fetch('b')).rejects.toMatchObject({ cache: 'test' });
    await clock.advance('4m');
    expect(await cache.fetch('a')).toBe('a');
    await clock.advance(60_001);
    expect(cache.get('a')).toBeUndefined();
    await expect(cache.fetch('a')).rejects.toMatchObject({ cache: 'test' });
    expect(cache.inspect('a').state).toBe('unknown');
    await cache.stop();
  });

  test('what could be answered comes with the error of fetchMany', async () => {
    const set = setUp<string>({
      methods,
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
    });
    await load(set);
    set.source.behave('fail');
    await set.clock.advance('11s');
    const error = await set.cache.fetchMany(['b', 'missing', 'a', 'gone']).catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'source-failed',
      partial: new Map([
        ['b', 'b'],
        ['a', 'a'],
      ]),
    });
    expect((error as Error).message).toContain('2 of 4 keys could not be answered');
    expect((error as Error).message).not.toContain('missing');
    await set.cache.stop();
  });

  test('recovers by itself from every class of error', async () => {
    for (const behaviour of ['fail', 'refuse', 'hang', 'half'] as const) {
      const set = setUp<string>({
        methods,
        rows: [
          ['a', 'old'],
          ['b', 'old'],
        ],
        refreshInterval: '1m',
      });
      const { source, cache, clock } = set;
      await load(set);
      source.behave(behaviour);
      source.rows.set('a', 'new');
      await clock.advance('30m');
      source.behave('answer');
      await clock.advance('2m');
      expect(cache.get('a')).toBe('new');
      expect(cache.status()).toMatchObject({ state: 'live', breaker: 'closed' });
      await cache.stop();
    }
  });

  test('a source that flaps never empties the cache and never ends it', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'v0']], refreshInterval: '1m' });
    const { source, cache, clock } = set;
    await load(set);
    source.behave((call) => (['fail', 'answer', 'refuse', 'hang', 'half'] as const)[call % 5]!);
    for (let round = 1; round <= 40; round += 1) {
      source.rows.set('a', `v${round}`);
      await clock.advance('1m');
      expect(cache.get('a')).toMatch(/^v/);
    }
    source.behave('answer');
    await clock.advance('2m');
    expect(cache.get('a')).toBe('v40');
    await cache.stop();
  });

  test('the error says what the source said, which cache and which key; the message holds no key', async () => {
    const { source, cache } = setUp({ methods });
    source.behave('fail');
    const error = (await cache.fetch('the key').catch((error: unknown) => error)) as Error;
    expect(error).toMatchObject({ name: 'CacheError', cache: 'test', cause: { message: 'connection refused' } });
    expect(error.message).toBe('cache "test": the source failed: connection refused');
    if (methods[0] !== 'fetchAll') expect(error).toMatchObject({ key: 'the key' });
  });
});

test('an answer of fetchMany that is no Map is an invalid answer: it changes nothing, and does not open the breaker', async () => {
  for (const [answer, came] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [{}, 'object'],
    [{ a: 'a' }, 'object'],
    ['a', 'string'],
    [7, 'number'],
    [new Set(['a']), 'object'],
    [[['a', 'a']], 'an array'],
  ] as const) {
    const clock = new SteadyClock();
    let next: unknown = new Map([['held', 'old']]);
    const source: Source<string> = { fetchMany: async () => next as never };
    const cache = new TTLCacheService<string>({ name: 'test', source, clock, ttl: '5m' });
    await cache.fetch('held');
    await clock.advance('6m');
    next = answer;
    const says = `expected fetchMany to answer a Map, got ${came}`;
    for (let call = 1; call <= 4; call += 1) {
      const error = await cache.fetch('a').catch((error: unknown) => error);
      expect(error).toMatchObject({ code: 'invalid-snapshot', key: 'a', message: `cache "test": ${says}` });
      const many = cache.fetchMany(['a', 'b']);
      await expect(many).rejects.toMatchObject({ code: 'invalid-snapshot', partial: new Map() });
      await expect(many).rejects.toThrow(says);
      expect(await cache.fetch('held')).toBe('old');
      const { outcome, error: failure } = await cache.refresh({ keys: ['held', 'a'] });
      expect([outcome, failure?.code]).toEqual(['failed', 'invalid-snapshot']);
    }
    expect(cache.status()).toMatchObject({ breaker: 'closed' });
    expect(cache.inspect('a').state).toBe('unknown');
    await cache.stop();
  }
});

test('what fetchMany answers beyond the keys that were asked for is ignored', async () => {
  const source: Source<string> = {
    fetchMany: async () =>
      new Map([
        ['a', 'a'],
        ['b', 'b'],
      ]),
  };
  const cache = new TTLCacheService<string>({ name: 'test', source, clock: new SteadyClock() });
  expect([...(await cache.fetchMany(['a', 'c']))]).toEqual([['a', 'a']]);
  expect([...cache.keys()]).toEqual(['a']);
});

test('null is a value: absent is undefined alone', async () => {
  const clock = new SteadyClock();
  const rows = new Map([['a', null]]);
  const source: Source<null> = {
    fetchOne: async (key) => rows.get(key),
    fetchMany: async () => rows,
    fetchAll: async () => rows,
  };
  const cache = new TTLCacheService<null>({ name: 'test', source, clock });
  expect(await cache.fetch('a')).toBe(null);
  expect(cache.get('a')).toBe(null);
  expect(cache.has('a')).toBe(true);
  expect(await cache.refresh()).toMatchObject({ outcome: 'unchanged', unchanged: 1 });
  expect([...(await cache.fetchMany(['a', 'b']))]).toEqual([['a', null]]);
});

test.each(ON_DEMAND)('null is a value that outlives an outage, shown or hidden ($shape)', async ({ methods }) => {
  const rows = [['a', null]] as const;
  const { cache, source, clock } = setUp<null>({ methods, rows, ttl: '1s', staleIfError: '1h' });
  await cache.fetch('a');
  await clock.advance('2s');
  expect(cache.has('a')).toBe(false);
  source.behave('fail');
  expect(await cache.fetch('a')).toBe(null);
  expect(await cache.fetch('a')).toBe(null);
  expect(cache.get('a')).toBe(null);
  expect(cache.inspect('a')).toMatchObject({ state: 'stale', value: null });
});

test('an age that is no age is refused where it is made', () => {
  for (const ageMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined]) {
    expect(() => aged('a', ageMs as never)).toThrow(TypeError);
  }
  expect(aged('a', 0)).toMatchObject({ value: 'a', ageMs: 0 });
});

test.each(WITH_SNAPSHOT)('an empty table is not an error ($shape)', async ({ methods }) => {
  const set = setUp<string>({ methods, rows: [['a', 'a']] });
  await load(set);
  set.source.rows.clear();
  expect(await set.cache.refresh()).toMatchObject({ outcome: 'published', removed: 1, added: 0 });
  await settle();
  expect(set.cache.size).toBe(0);
  expect(await set.cache.fetch('a')).toBeUndefined();
  expect(set.cache.status().state).toBe('live');
  await set.cache.stop();
});
