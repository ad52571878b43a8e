import { describe, expect, test } from 'vitest';
import { CacheRegistry, TTLCacheService } from '../src/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { SteadyClock } from './support/set-up.ts';

expectNoUnhandledRejections();

const clock = new SteadyClock();
const make = (name: string, works = true): TTLCacheService<number> =>
  new TTLCacheService<number>({
    name,
    clock,
    onStartFailure: 'throw',
    source: {
      fetchAll: async () => {
        if (!works) throw new Error(`${name} is down`);
        return [['a', 1]];
      },
    },
  });

describe('CacheRegistry', () => {
  test('gives caches by name, in order, and starts and stops them together', async () => {
    const registry = new CacheRegistry();
    const one = registry.register(make('one'));
    const two = registry.register(make('two'));
    expect(registry.get('one')).toBe(one);
    expect(registry.get('three')).toBeUndefined();
    expect(registry.get('__proto__')).toBeUndefined();
    expect([...registry]).toEqual([one, two]);
    await registry.startAll();
    expect([...registry].map((cache) => cache.get('a'))).toEqual([1, 1]);
    expect(registry.stats()).toEqual({ one: one.stats(), two: two.stats() });
    await registry.stopAll();
    expect([...registry].map((cache) => cache.status().state)).toEqual(['stopped', 'stopped']);
    expect(clock.pendingTimers).toBe(0);
  });

  test('takes each name once', () => {
    const registry = new CacheRegistry();
    registry.register(make('one'));
    expect(() => registry.register(make('one'))).toThrow(TypeError);
    expect(() => registry.register(make('one'))).toThrow('got "one" twice');
  });

  test('takes caches and nothing else', () => {
    const registry = new CacheRegistry();
    const { stop, ...unstoppable } = { name: 'x', start: () => undefined, stop: () => undefined, stats: () => ({}) };
    for (const [wrong, came] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [{}, 'a value of type object'],
      ['tools', '"tools"'],
      [new Map(), 'a value of type object'],
      [unstoppable, 'a value of type object'],
      [{ ...unstoppable, stop, name: '' }, 'a value of type object'],
      [TTLCacheService, 'a value of type function'],
    ] as const) {
      const says = `CacheRegistry: expected a cache, with a name, start(), stop() and stats(), got ${came}`;
      expect(() => registry.register(wrong as never)).toThrow(new TypeError(says));
    }
    expect([...registry]).toEqual([]);
    registry.register({ ...unstoppable, stop } as never);
    expect(registry.get('x')).toBeDefined();
  });

  test('takes any name', () => {
    const registry = new CacheRegistry();
    for (const name of ['__proto__', 'constructor', ' ']) registry.register(make(name));
    expect(Object.keys(registry.stats())).toEqual(['__proto__', 'constructor', ' ']);
  });

  test('throws the first failure when all have tried; the others run', async () => {
    const registry = new CacheRegistry();
    for (const cache of [make('one'), make('two', false), make('three', false)]) registry.register(cache);
    await expect(registry.startAll()).rejects.toMatchObject({ cache: 'two', code: 'source-failed' });
    expect([...registry].map((cache) => cache.status().state)).toEqual(['live', 'stopped', 'stopped']);
    await registry.stopAll();
  });

  test('may be empty', async () => {
    const registry = new CacheRegistry();
    await registry.startAll();
    await registry.stopAll();
    expect(registry.stats()).toEqual({});
  });
});
