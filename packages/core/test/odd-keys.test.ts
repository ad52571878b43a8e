import { describe, expect, test } from 'vitest';
import { load, SHAPES, setUp } from './support/set-up.ts';

const ODD = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  '\0',
  '🔑',
  '\ud800',
  'x'.repeat(1_000_000),
];

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('any string is a key, on every path', async () => {
    const set = setUp<string>({ methods, rows: ODD.map((key, index) => [key, `v${index}`] as const) });
    const { source, cache } = set;
    await load(set);
    const derived = cache.derive((value) => `from ${value}`);
    expect(cache.getMany(ODD)).toEqual(ODD.map((_, index) => `v${index}`));
    for (const [index, key] of ODD.entries()) {
      expect(cache.get(key)).toBe(`v${index}`);
      expect(derived.get(key)).toBe(`from v${index}`);
      expect(cache.has(key)).toBe(true);
      expect(cache.inspect(key).state).toBe('fresh');
      source.rows.set(key, `w${index}`);
      expect(await cache.fetch(key, { fresh: true })).toBe(`w${index}`);
      await cache.invalidate(key);
      expect(cache.get(key)).toBeUndefined();
      expect(await cache.fetch(key)).toBe(`w${index}`);
    }
    expect([...(await cache.fetchMany(ODD, { fresh: true })).keys()]).toEqual(ODD);
    expect(await cache.refresh({ keys: ODD })).toMatchObject({ outcome: 'unchanged', unchanged: ODD.length });
    for (const key of ODD) source.rows.delete(key);
    expect((await cache.fetchMany(ODD, { fresh: true })).size).toBe(0);
    expect(cache.getMany(ODD)).toEqual(ODD.map(() => undefined));
    await cache.stop();
  });

  test('an odd key that does not exist is absent, and nothing that every object has', async () => {
    const { cache, source } = setUp<string>({ methods });
    // The long one first: it has no room beside others.
    for (const key of ODD.toReversed()) {
      expect(await cache.fetch(key)).toBeUndefined();
      expect(cache.get(key)).toBeUndefined();
    }
    const asked = source.count();
    for (const key of ODD.slice(0, -1)) expect(cache.inspect(key).state).toBe('absent');
    for (const key of ODD.slice(0, -1)) await cache.fetch(key);
    expect(source.count()).toBe(asked);
  });

  test('what is no string is a TypeError of fetch, and nothing to get', async () => {
    const { cache, source } = setUp<string>({
      methods,
      rows: [
        ['undefined', 'x'],
        ['1', 'x'],
        ['null', 'x'],
      ],
    });
    for (const [key, name] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [1, 'number'],
      [{}, 'object'],
      [['a'], 'an array'],
    ] as const) {
      const says = (method: string): TypeError =>
        new TypeError(`cache "test": ${method}: expected a key to be a string, got ${name}`);
      await expect(cache.fetch(key as never)).rejects.toThrow(says('fetch'));
      await expect(cache.fetch(key as never, { fresh: true })).rejects.toThrow(says('fetch'));
      await expect(cache.fetchMany(['a', key as never])).rejects.toThrow(says('fetchMany'));
      await expect(cache.warm(['a', key as never])).rejects.toThrow(says('warm'));
      await expect(cache.invalidate(['a', key as never])).rejects.toThrow(says('invalidate'));
      await expect(cache.refresh({ keys: ['a', key as never] })).rejects.toThrow(says('refresh'));
      expect(cache.get(key as never)).toBeUndefined();
      expect(cache.has(key as never)).toBe(false);
      expect(cache.inspect(key as never).state).toBe('unknown');
    }
    for (const [keys, name] of [
      ['abc', 'string'],
      [undefined, 'undefined'],
      [null, 'null'],
      [{ a: 1 }, 'object'],
    ] as const) {
      const says = (method: string): TypeError =>
        new TypeError(`cache "test": ${method}: expected an iterable of keys, got ${name}`);
      await expect(cache.fetchMany(keys as never)).rejects.toThrow(says('fetchMany'));
      await expect(cache.warm(keys as never)).rejects.toThrow(says('warm'));
      if (keys !== undefined) await expect(cache.refresh({ keys: keys as never })).rejects.toThrow(says('refresh'));
    }
    expect(source.count()).toBe(0);
  });
});
