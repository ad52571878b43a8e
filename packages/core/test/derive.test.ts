import { describe, expect, test } from 'vitest';
import { deriveFrom } from '../src/derive.ts';
import { memoByIdentity } from '../src/index.ts';
import { load, SHAPES, setUp } from './support/set-up.ts';

describe.each(SHAPES)('derive, with $shape', ({ methods }) => {
  test('computes once per value, over refreshes that change nothing, and anew when the row has changed', async () => {
    const set = setUp<{ n: number }>({
      methods,
      rows: [
        ['a', { n: 1 }],
        ['b', { n: 1 }],
      ],
    });
    const { cache, source } = set;
    await load(set);
    let computed = 0;
    const doubled = cache.derive(({ n }) => {
      computed += 1;
      return { n: 2 * n };
    });
    const a = doubled.get('a');
    expect(a).toEqual({ n: 2 });
    source.rows.set('a', { n: 1 });
    await cache.refresh();
    expect(doubled.get('a')).toBe(a);
    expect(doubled.get('b')).not.toBe(a);
    expect(computed).toBe(2);
    source.rows.set('a', { n: 5 });
    await cache.refresh();
    expect(doubled.get('a')).toEqual({ n: 10 });
    expect(doubled.get('a')).toBe(doubled.get('a'));
    expect(computed).toBe(3);
    source.rows.delete('a');
    await cache.refresh();
    expect(doubled.get('a')).toBeUndefined();
    expect(doubled.get('missing')).toBeUndefined();
    await cache.stop();
    expect(doubled.get('b')).toBeUndefined();
    expect(computed).toBe(3);
  });

  test('of primitives is remembered with the key', async () => {
    const set = setUp<number | string | null | boolean>({
      methods,
      rows: [
        ['a', 1],
        ['n', null],
        ['f', false],
        ['z', 0],
      ],
    });
    const { cache, source } = set;
    await load(set);
    const computed: unknown[] = [];
    const view = cache.derive((value) => {
      computed.push(value);
      return value === 0 ? undefined : { value };
    });
    for (let turn = 0; turn < 2; turn += 1) {
      expect(view.get('a')).toEqual({ value: 1 });
      expect(view.get('n')).toEqual({ value: null });
      expect(view.get('f')).toEqual({ value: false });
      expect(view.get('z')).toBeUndefined();
    }
    expect(computed).toEqual([1, null, false, 0]);
    source.rows.set('a', '1');
    await cache.refresh();
    expect(view.get('a')).toEqual({ value: '1' });
    source.behave('hang');
    await cache.invalidate('a');
    expect(view.get('a')).toBeUndefined();
    await cache.stop();
  });

  test('is remembered with the value, over the time in which it is not visible; of a primitive it is dropped', async () => {
    for (const [value, times] of [
      [{ n: 1 }, 1],
      ['a', 2],
    ] as const) {
      const { cache, source } = setUp<object | string>({ methods, rows: [['a', value]] });
      let computed = 0;
      const view = cache.derive(() => {
        computed += 1;
        return computed;
      });
      for (let turn = 0; turn < 2; turn += 1) {
        await cache.fetch('a');
        view.get('a');
        source.behave('fail');
        await cache.invalidate('a');
        expect(view.get('a')).toBeUndefined();
        source.behave('answer');
      }
      expect(computed).toBe(times);
      await cache.stop();
    }
  });

  test('throws what the function throws, each time, and remembers nothing of it', async () => {
    const set = setUp<string | object>({
      methods,
      rows: [
        ['a', 'a'],
        ['o', {}],
      ],
    });
    await load(set);
    let broken = true;
    const view = set.cache.derive((value) => {
      if (broken) throw new Error('cannot compile');
      return value;
    });
    for (const key of ['a', 'o', 'a', 'o']) expect(() => view.get(key)).toThrow('cannot compile');
    broken = false;
    expect(view.get('a')).toBe('a');
    expect(view.get('o')).toEqual({});
    await set.cache.stop();
  });

  test('has a view of its own for each function', async () => {
    const set = setUp<string>({ methods, rows: [['a', 'a']] });
    await load(set);
    const [upper, length] = [
      set.cache.derive((value) => value.toUpperCase()),
      set.cache.derive(({ length }) => length),
    ];
    expect([upper.get('a'), length.get('a')]).toEqual(['A', 1]);
    await set.cache.stop();
  });
});

test('what was computed from primitives that are held no more is dropped, though nobody asks for them', () => {
  const live = new Map<string, number>();
  let computed = 0;
  const view = deriveFrom(
    (key) => live.get(key),
    () => live,
    (value: number) => {
      computed += 1;
      return value;
    },
  );
  live.set('kept', 0);
  view.get('kept');
  for (let n = 1; n <= 1_000; n += 1) {
    live.set(`key ${n}`, n);
    view.get(`key ${n}`);
    live.delete(`key ${n}`);
  }
  expect(computed).toBe(1_001);
  view.get('kept');
  expect(computed).toBe(1_001);
  // The early ones are forgotten: the value of another key with the same name is computed again.
  live.set('key 1', 1);
  view.get('key 1');
  expect(computed).toBe(1_002);
});

describe('memoByIdentity', () => {
  test('gives the same object as long as all arguments are the same', () => {
    let computed = 0;
    const build = memoByIdentity((config: object, tools: readonly object[], name: string) => {
      computed += 1;
      return { config, tools, name };
    });
    const [config, tools] = [{ n: 1 }, [{ n: 1 }]];
    const built = build(config, tools, 'x');
    expect(build(config, tools, 'x')).toBe(built);
    expect(build(config, tools, 'y')).not.toBe(built);
    expect(build({ n: 1 }, tools, 'x')).not.toBe(built);
    expect(build(config, [...tools], 'x')).not.toBe(built);
    expect(build(config, tools, 'x')).toBe(built);
    expect(computed).toBe(4);
  });

  test('tells the positions of its arguments apart', () => {
    const [a, b] = [{}, {}];
    const list = memoByIdentity((...inputs: unknown[]) => inputs);
    expect(list(a, b)).not.toBe(list(b, a));
    expect(list(a, 1)).not.toBe(list(1, a));
    expect(list(a, a)).not.toBe(list(a));
    expect(list(a, undefined)).not.toBe(list(a));
    expect(list(a, 1)).not.toBe(list(a, '1'));
    expect(list(a, Number.NaN)).toBe(list(a, Number.NaN));
    const compare = (): number => 1;
    expect(list(a, compare)).toBe(list(a, compare));
    expect(list(a, null)).toEqual([a, null]);
  });

  test('remembers undefined, not a failure', () => {
    let computed = 0;
    const nothing = memoByIdentity((_: object): undefined => {
      computed += 1;
      if (computed === 1) throw new Error('at first');
    });
    const key = {};
    expect(() => nothing(key)).toThrow('at first');
    for (let call = 1; call <= 3; call += 1) expect(nothing(key)).toBeUndefined();
    expect(computed).toBe(2);
  });

  test('refuses arguments of which none is an object: nothing could ever be dropped', () => {
    const add = memoByIdentity((a: number, b: number) => a + b);
    expect(() => add(1, 2)).toThrow(TypeError);
    expect(() => add(1, 2)).toThrow('expected at least one argument to be an object, got none');
  });

  test('builds once from two caches until a row of one of them changes', async () => {
    const [tools, agents] = [setUp<object>({ rows: [['a', ['tool']]] }), setUp<object>({ rows: [['a', { n: 1 }]] })];
    await Promise.all([load(tools), load(agents)]);
    const build = memoByIdentity((agent: object, list: object) => ({ agent, list }));
    const built = (): object => build(agents.cache.get('a')!, tools.cache.get('a')!);
    const before = built();
    tools.source.rows.set('a', ['tool']);
    await Promise.all([tools.cache.refresh(), agents.cache.refresh()]);
    expect(built()).toBe(before);
    tools.source.rows.set('a', ['another']);
    await tools.cache.refresh();
    expect(built()).not.toBe(before);
    expect(built()).toBe(built());
    await Promise.all([tools.cache.stop(), agents.cache.stop()]);
  });
});

test.each([
  [undefined, 'undefined'],
  [5, '5'],
  [{}, 'a value of type object'],
])('%s is no function to compute with, and is refused before anything is read', (compute, came) => {
  const { cache } = setUp<string>();
  expect(() => cache.derive(compute as never)).toThrow(new TypeError(`derive: expected a function, got ${came}`));
  expect(() => memoByIdentity(compute as never)).toThrow(
    new TypeError(`memoByIdentity: expected a function, got ${came}`),
  );
});
