import { describe, expect, onTestFinished, test } from 'vitest';
import { load, type SetUp, SHAPES, setUp } from './support/set-up.ts';

const ROWS = [
  ['a', 'a'],
  ['b', 'b'],
] as const;

/** Options of one call that are wrong, and what is said of them after the name of the method. */
const WRONG_FETCH: readonly (readonly [unknown, string])[] = [
  [{ tiemout: 1 }, ': unknown option "tiemout"; did you mean "timeout"?'],
  [{ frsh: true }, ': unknown option "frsh"; did you mean "fresh"?'],
  [{ ttl: 1 }, ': unknown option "ttl"; expected one of signal, timeout, fresh'],
  [{ timeout: -1 }, ': option "timeout": expected a duration of 0 or more: milliseconds, or like'],
  [{ timeout: -1 }, 'got -1'],
  [{ timeout: Number.NaN }, 'got NaN'],
  [{ timeout: 'soon' }, 'got "soon"'],
  [{ timeout: null }, 'got null'],
  [{ fresh: 'no' }, ': option "fresh": expected a boolean, got "no"'],
  [{ fresh: 0 }, ': option "fresh": expected a boolean, got 0'],
  [{ fresh: null }, ': option "fresh": expected a boolean, got null'],
  [{ signal: 5 }, ': option "signal": expected an AbortSignal, got 5'],
  [{ signal: null }, ': option "signal": expected an AbortSignal, got null'],
  [{ signal: {} }, ': option "signal": expected an AbortSignal, got a value of type object'],
  [{ signal: new AbortController() }, ': option "signal": expected an AbortSignal'],
  [null, ': expected an object of options, got null'],
  ['1s', ': expected an object of options, got "1s"'],
  [5, ': expected an object of options, got 5'],
  [['fresh'], ': expected an object of options, got an array'],
];

const WRONG_REFRESH: readonly (readonly [unknown, string])[] = [
  [{ ful: true }, ': unknown option "ful"; did you mean "full"?'],
  [{ key: ['a'] }, ': unknown option "key"; did you mean "keys"?'],
  [{ full: 'no' }, ': option "full": expected a boolean, got "no"'],
  [{ full: null }, ': option "full": expected a boolean, got null'],
  [{ dryRun: 'no' }, ': option "dryRun": expected a boolean, got "no"'],
  [{ dryRun: 1 }, ': option "dryRun": expected a boolean, got 1'],
  [{ keys: 'ab' }, ': expected an iterable of keys, got string'],
  [null, ': expected an object of options, got null'],
  ['all', ': expected an object of options, got "all"'],
];

async function expectRefusal(refused: Promise<unknown>, method: string, says: string): Promise<void> {
  const error = await refused.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(TypeError);
  const { message } = error as TypeError;
  expect(message).toContain(`cache "test": ${method}: `);
  expect(message).toContain(says);
}

describe.each(SHAPES)('with $shape, a wrong option of a call', ({ methods }) => {
  /** When an option could be overlooked. */
  const moments: readonly (readonly [string, (set: SetUp<string>) => Promise<unknown>])[] = [
    ['when nothing is held', async () => undefined],
    ['when the key is a fresh hit', load],
    ['when the cache is stopped', ({ cache }) => cache.stop()],
  ];

  test.each(moments)('is refused %s, before the source is asked, with place, expected and got', async (_, prepare) => {
    const set = setUp<string>({ methods, rows: ROWS });
    await prepare(set);
    const { cache, source } = set;
    const before = { calls: source.count(), ...cache.stats() };
    for (const [options, says] of WRONG_FETCH) {
      await expectRefusal(cache.fetch('a', options as never), 'fetch', says);
      await expectRefusal(cache.fetchMany(['a', 'b'], options as never), 'fetchMany', says);
      await expectRefusal(cache.fetchMany([], options as never), 'fetchMany', says);
    }
    for (const [options, says] of WRONG_REFRESH) await expectRefusal(cache.refresh(options as never), 'refresh', says);
    expect({ calls: source.count(), ...cache.stats() }).toEqual(before);
    await cache.stop();
  });

  test('that is undefined is one that was not given', async () => {
    const set = setUp<string>({ methods, rows: ROWS });
    const { cache } = set;
    const nothing = { fresh: undefined, signal: undefined, timeout: undefined } as never;
    expect(await cache.fetch('a', nothing)).toBe('a');
    expect(await cache.fetch('a', undefined)).toBe('a');
    expect((await cache.fetchMany(['a'], nothing)).size).toBe(1);
    expect(await cache.refresh({ full: undefined, keys: undefined, dryRun: undefined } as never)).not.toHaveProperty(
      'dryRun',
    );
    await cache.stop();
  });
});

test('a fresh hit with options is a hit, whatever the value is', async () => {
  const set = setUp<string | null>({ methods: ['fetchAll', 'fetchOne'], rows: [...ROWS, ['none', null]] });
  const { cache, source } = set;
  await load(set);
  const asked = source.count();
  expect(await cache.fetch('a', { timeout: '1s' })).toBe('a');
  expect(await cache.fetch('none', { fresh: false })).toBeNull();
  expect(await cache.fetch('a', { signal: AbortSignal.abort() })).toBe('a');
  expect([source.count() - asked, cache.stats().hits]).toEqual([0, 3]);
  await cache.stop();
});

test('a signal is known by its shape, so that one of another realm does as well', async () => {
  const { cache } = setUp<string>({ rows: ROWS });
  const { signal } = new AbortController();
  const foreign = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined };
  expect(await cache.fetch('a', { signal, timeout: Number.POSITIVE_INFINITY })).toBe('a');
  expect(await cache.fetch('b', { signal: foreign as never })).toBe('b');
});

test.each([
  ['ab', 'string'],
  [new Set('a'), 'object'],
  [undefined, 'undefined'],
  [null, 'null'],
])('getMany of what is no array is refused, and counts nothing: %s', async (keys, type) => {
  const set = setUp<string>({ methods: ['fetchAll'], rows: ROWS });
  await load(set);
  const before = set.cache.stats();
  expect(() => set.cache.getMany(keys as never)).toThrow(
    new TypeError(`cache "test": getMany: expected an array of keys, got ${type}`),
  );
  expect(set.cache.stats()).toEqual(before);
  await set.cache.stop();
});

test('a fetchMany whose caller has given up says so, however many keys it is for', async () => {
  const { cache, source } = setUp<string>({ methods: ['fetchMany'] });
  const keys = Array.from({ length: 150_000 }, (_, index) => `k${index}`);
  // Each key has an error of its own, and their stacks would take seconds.
  const { stackTraceLimit } = Error;
  onTestFinished(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  Error.stackTraceLimit = 0;
  await expect(cache.fetchMany(keys, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'aborted',
    message: 'cache "test": 150000 of 150000 keys could not be answered; the first because the caller gave up',
  });
  expect(source.count()).toBe(0);
});

test('a method that answers at once throws at once', () => {
  const { cache } = setUp<string>({ rows: ROWS });
  expect(() => cache.snapshot({ maxage: 1 } as object)).toThrow(
    new TypeError('cache "test": snapshot: unknown option "maxage"; did you mean "maxAge"?'),
  );
});
