import { types } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { deepFreeze } from '../src/freeze.ts';
import { load, SHAPES, setUp } from './support/set-up.ts';

interface Tree {
  n: number;
  children: Tree[];
  again?: Tree;
}

const isFrozenToTheBottom = (value: unknown, walked = new Set<unknown>()): boolean => {
  if (typeof value !== 'object' || value === null || walked.has(value)) return true;
  walked.add(value);
  return Object.isFrozen(value) && Object.values(value).every((child) => isFrozenToTheBottom(child, walked));
};

describe.each(SHAPES)('with $shape', ({ methods }) => {
  test('no reader can change what others read, whatever way it came in', async () => {
    const tree = (): Tree => ({ n: 1, children: [{ n: 2, children: [] }] });
    const rows = (): [string, Tree][] => [...'ab'].map((key) => [key, tree()]);
    const set = setUp<Tree>({ methods, rows: rows() });
    const { source, cache } = set;
    await load(set);
    const renewed = async (): Promise<void> => {
      for (const [key, value] of rows()) source.rows.set(key, { ...value, n: Math.random() });
    };
    const reads: (() => Promise<Tree | undefined>)[] = [
      async () => cache.get('a'),
      async () => cache.getMany(['a'])[0],
      async () => [...cache.entries()][0]![1],
      async () => cache.inspect('a').value,
      async () => renewed().then(() => cache.fetch('a', { fresh: true })),
      async () => renewed().then(async () => (await cache.fetchMany(['a', 'b'], { fresh: true })).get('a')),
      async () =>
        renewed()
          .then(() => cache.refresh())
          .then(() => cache.get('a')),
      async () =>
        renewed()
          .then(() => cache.refresh({ keys: ['a'] }))
          .then(() => cache.get('a')),
    ];
    for (const read of reads) {
      const value = (await read())!;
      expect(isFrozenToTheBottom(value)).toBe(true);
      expect(() => value.children.push(value)).toThrow(TypeError);
      expect(() => {
        value.children[0]!.n = 9;
      }).toThrow(TypeError);
    }
    await cache.stop();
  });

  test('what cannot be frozen is kept as it is, and costs no other row anything', async () => {
    const module: unknown = await import(`data:text/javascript,export const n = ${methods.length}`);
    expect(types.isModuleNamespaceObject(module)).toBe(true);
    const unreadable = Object.defineProperty({}, 'n', {
      enumerable: true,
      get() {
        throw new Error('not to be read');
      },
    });
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    const odd = { module, unreadable, revoked, list: [{}] };
    const set = setUp<unknown>({ methods, rows: Object.entries({ module, unreadable, odd, a: { n: [1] } }) });
    await load(set);
    expect([...set.cache.keys()]).toEqual(['module', 'unreadable', 'odd', 'a']);
    expect(set.cache.get('module')).toBe(module);
    expect(isFrozenToTheBottom(set.cache.get('a'))).toBe(true);
    expect([odd, odd.list, odd.list[0]].map(Object.isFrozen)).toEqual([true, true, true]);
    await set.cache.stop();
  });

  test('freeze: false leaves values as they are', async () => {
    const set = setUp<Tree>({ methods, rows: [['a', { n: 1, children: [] }]], freeze: false });
    await load(set);
    expect(Object.isFrozen(set.cache.get('a'))).toBe(false);
    set.source.rows.set('a', { n: 2, children: [] });
    expect(Object.isFrozen(await set.cache.fetch('a', { fresh: true }))).toBe(false);
    await set.cache.stop();
  });
});

describe('deepFreeze', () => {
  test('goes to the bottom of what is frozen at the top', () => {
    const value = Object.freeze({ n: 1, list: Object.freeze([{ inner: { n: 2 } }]) });
    expect(isFrozenToTheBottom(deepFreeze(value))).toBe(true);
    expect(Object.isFrozen(value.list[0]!.inner)).toBe(true);
  });

  test('ends on cycles, in frozen and unfrozen objects', () => {
    const cycle: Tree = { n: 1, children: [] };
    cycle.again = cycle;
    cycle.children.push(cycle);
    expect(isFrozenToTheBottom(deepFreeze(cycle))).toBe(true);
    const first: { other?: object; inner: object } = { inner: {} };
    const second = Object.freeze({ other: first });
    first.other = second;
    Object.freeze(first);
    deepFreeze(first);
    expect(Object.isFrozen(first.inner)).toBe(true);
  });

  test('takes any depth', () => {
    let value: object = {};
    const bottom = value;
    for (let level = 0; level < 200_000; level += 1) value = level % 2 ? [value] : { value };
    deepFreeze(value);
    expect(Object.isFrozen(bottom)).toBe(true);
  });

  test('knows plain objects of other realms and without prototype', () => {
    const foreign = runInNewContext('({ list: [{}] })') as { list: object[] };
    expect(isFrozenToTheBottom(deepFreeze(foreign))).toBe(true);
    const bare = Object.assign(Object.create(null) as object, { inner: {} });
    expect(isFrozenToTheBottom(deepFreeze(bare))).toBe(true);
  });

  test('leaves alone what it could not protect anyway, and what is inside it', () => {
    const inner = { n: 1 };
    class Holder {
      inner = inner;
    }
    const value = deepFreeze({ map: new Map([['inner', inner]]), holder: new Holder(), date: new Date(), list: [1] });
    expect(Object.isFrozen(value.list)).toBe(true);
    for (const kept of [value.map, value.holder, value.date, inner]) expect(Object.isFrozen(kept)).toBe(false);
    expect(deepFreeze(7)).toBe(7);
    expect(deepFreeze(null)).toBe(null);
  });
});
