import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkNames } from '../src/checks.ts';
import { parseDuration } from '../src/duration.ts';
import { systemClock, TTLCacheService } from '../src/index.ts';
import { nearest } from '../src/nearest.ts';
import { type ResolvedOptions, resolveOptions } from '../src/options.ts';
import { VirtualClock } from '../testing/index.ts';

const onDemand = { fetchOne: async () => 'a' };
const whole = { fetchAll: async () => [] };
const resolve = (options: object): ResolvedOptions<string> =>
  resolveOptions<string>({ name: 'test', source: onDemand, ...options } as never);

const NO_DURATIONS = [['5m'], '5 m', '5', 'm', '-5s', '1e3ms', '', 'Infinity', Number.NaN, -1, null, {}, [], true, 5n];

describe('durations', () => {
  test.each([
    'ttl',
    'refreshInterval',
    'staleIfError',
    'negativeTtl',
    'timeout',
    'refreshTimeout',
    'softTimeout',
  ] as const)('%s takes milliseconds and text, and refuses the rest with option, expected and got', (name) => {
    expect(resolve({ ttl: '1d', [name]: 1_500 })[name]).toBe(1_500);
    expect(resolve({ ttl: '1d', [name]: '1.5s' })[name]).toBe(1_500);
    expect(resolve({ [name]: undefined })[name]).toBe(resolve({})[name]);
    for (const wrong of NO_DURATIONS) {
      expect(() => resolve({ [name]: wrong })).toThrow(TypeError);
      expect(() => resolve({ [name]: wrong })).toThrow(new RegExp(`option "${name}": expected a duration .*, got `));
    }
  });

  test.each([
    ['ttl', false, true],
    ['refreshInterval', false, false],
    ['staleIfError', true, true],
    ['negativeTtl', true, false],
    ['timeout', false, false],
    ['refreshTimeout', false, false],
    ['softTimeout', true, false],
  ] as const)('%s may be 0: %s, and endless: %s', (name, zero, endless) => {
    const accepts = (value: number): boolean => {
      try {
        return resolve({ [name]: value })[name] === value;
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        return false;
      }
    };
    expect([accepts(0), accepts(Number.POSITIVE_INFINITY)]).toEqual([zero, endless]);
    expect(accepts(Number.NEGATIVE_INFINITY)).toBe(false);
  });

  test('the units', () => {
    const units = { '7ms': 7, '2s': 2_000, '3m': 180_000, '1.5h': 5_400_000, '2d': 172_800_000, '0s': 0 };
    for (const [text, ms] of Object.entries(units)) expect(parseDuration(text)).toBe(ms);
    for (const text of ['7 ms', 'ms', '2S', '2sec', '.5s', '5.s', '1h30m', ' 2s', '2s\n']) {
      expect(parseDuration(text)).toBeUndefined();
    }
  });
});

describe('the message of a wrong option', () => {
  test.each([
    [{ name: '' }, 'option "name": expected a non-empty string, got ""'],
    [{ name: undefined }, 'option "name": expected a non-empty string, got undefined'],
    [{ name: 7 }, 'option "name": expected a non-empty string, got 7'],
    [{ source: undefined }, 'option "source": expected an object with fetchAll, fetchOne or fetchMany, got undefined'],
    [{ source: null }, 'option "source": expected an object with fetchAll, fetchOne or fetchMany, got null'],
    [
      { source: () => 'a' },
      'option "source": expected an object with fetchAll, fetchOne or fetchMany, got a value of type function',
    ],
    [{ source: {} }, 'option "source": expected fetchAll, fetchOne or fetchMany, got none of them'],
    [{ source: { fetchOne: 'SELECT 1' } }, 'option "source.fetchOne": expected a function, got "SELECT 1"'],
    [{ source: { ...onDemand, fetchAll: null } }, 'option "source.fetchAll": expected a function, got null'],
    [
      { source: { ...onDemand, status: {} } },
      'option "source.status": expected a function, got a value of type object',
    ],
    [{ schema: {} }, 'option "schema": expected a Standard Schema (zod, valibot, ...), got a value of type object'],
    [{ schema: null }, 'option "schema": expected a Standard Schema (zod, valibot, ...), got null'],
    [{ ttl: 'x'.repeat(200) }, `got "${'x'.repeat(50)}…"`],
    [
      { ttl: 0 },
      "option \"ttl\": expected a duration greater than 0: milliseconds, or like '250ms', '10s', '5m', '2h', '1d', got 0",
    ],
    [{ ttl: [5] }, 'got an array'],
    [{ staleIfError: -1 }, 'option "staleIfError": expected a duration of 0 or more'],
    [{ timeout: Number.POSITIVE_INFINITY }, 'option "timeout": expected a duration greater than 0 and finite'],
    [{ maxEntries: 0 }, 'option "maxEntries": expected a whole number greater than 0, or Infinity, got 0'],
    [{ maxEntries: 1.5 }, 'got 1.5'],
    [{ maxEntries: Number.NaN }, 'got NaN'],
    [{ maxEntries: '10' }, 'option "maxEntries": expected a whole number greater than 0, or Infinity, got "10"'],
    [{ maxEntries: null }, 'option "maxEntries": expected a whole number'],
    [
      { source: whole, maxEntries: 10 },
      'option "maxEntries": expected no bound for a source with fetchAll: the whole set is held, got 10',
    ],
    [{ onStartFailure: 'ignore' }, 'option "onStartFailure": expected \'continue\' or \'throw\', got "ignore"'],
    [{ onStartFailure: null }, "option \"onStartFailure\": expected 'continue' or 'throw', got null"],
    [{ freeze: 'yes' }, 'option "freeze": expected a boolean, got "yes"'],
    [{ freeze: null }, 'option "freeze": expected a boolean, got null'],
    [{ clock: {} }, 'option "clock": expected an object with now(), got a value of type object'],
    [{ clock: null }, 'option "clock": expected an object with now(), got null'],
    [{ source: { ...whole, fetchChanges: true } }, 'option "source.fetchChanges": expected a function, got true'],
    [{ source: { ...onDemand, watch: 'table' } }, 'option "source.watch": expected a function, got "table"'],
    [
      { source: { ...onDemand, fetchChanges: async () => 'resync' } },
      'option "source": expected fetchAll beside fetchChanges, got none',
    ],
    [{ guard: null }, 'option "guard": expected an object of options, got null'],
    [{ guard: 0.5 }, 'option "guard": expected an object of options, got 0.5'],
    [{ guard: [0.5, 20, 2] }, 'option "guard": expected an object of options, got an array'],
    [{ guard: { minRow: 3 } }, 'option "guard": unknown option "minRow"; did you mean "minRows"?'],
    [
      { guard: { share: 0.5 } },
      'option "guard": unknown option "share"; expected one of maxRemovedShare, minRows, acceptAfter',
    ],
    ...[0, -0.5, 1.01, Number.NaN, Number.POSITIVE_INFINITY, '0.5', null, true].map(
      (maxRemovedShare) =>
        [
          { guard: { maxRemovedShare } },
          'option "guard.maxRemovedShare": expected a number greater than 0, up to 1, got ',
        ] as const,
    ),
    ...(['minRows', 'acceptAfter'] as const).flatMap((name) =>
      [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2', null, 2n].map(
        (wrong) =>
          [
            { guard: { [name]: wrong } },
            `option "guard.${name}": expected a whole number greater than 0, got `,
          ] as const,
      ),
    ),
    [{ source: whole, closedWorld: 1 }, 'option "closedWorld": expected a boolean, got 1'],
    [{ source: whole, closedWorld: null }, 'option "closedWorld": expected a boolean, got null'],
    [{ closedWorld: true }, 'option "closedWorld": expected false for a source without fetchAll, got true'],
    ...[0, -1, Number.NaN, Number.NEGATIVE_INFINITY, '100', null].map(
      (maxAbsentPerSecond) =>
        [
          { maxAbsentPerSecond },
          'option "maxAbsentPerSecond": expected a number greater than 0, or Infinity, got ',
        ] as const,
    ),
    [{ ttll: '5m' }, 'unknown option "ttll"; did you mean "ttl"?'],
    [{ TTL: '5m' }, 'unknown option "TTL"; did you mean "ttl"?'],
    [{ refershInterval: '5m' }, 'unknown option "refershInterval"; did you mean "refreshInterval"?'],
    [{ lifetime: '5m' }, 'unknown option "lifetime"; expected one of name, source, schema, ttl, '],
    [{ ['x'.repeat(200)]: 1 }, `unknown option "${'x'.repeat(50)}…"; expected one of name, `],
  ] as const)('%o', (options, message) => {
    expect(() => resolve(options)).toThrow(TypeError);
    expect(() => resolve(options)).toThrow(`TTLCacheService: ${message.startsWith('got') ? 'option' : message}`);
    expect(() => resolve(options)).toThrow(message);
    expect(() => new TTLCacheService({ name: 'test', source: onDemand, ...options } as never)).toThrow(TypeError);
  });

  test.each([undefined, null, 7, 'tools', [['name', 'tools']]])('options of %s', (options) => {
    expect(() => new TTLCacheService(options as never)).toThrow(/: expected an object of options, got/);
  });

  test('never holds the source or what is in it', () => {
    const source = { fetchOne: 'postgres://user:password@host' };
    try {
      resolve({ source: { url: 'postgres://user:password@host' } });
    } catch (error) {
      expect((error as Error).message).not.toContain('password');
    }
    expect(() => resolve({ source })).toThrow(TypeError);
  });
});

test('what is sensible at the edge is taken', () => {
  const watched = { ...whole, fetchChanges: async () => 'resync', watch: async () => async () => undefined };
  const guard = { maxRemovedShare: 1, minRows: 1, acceptAfter: 1 };
  const edge = { source: watched, guard, closedWorld: true, maxAbsentPerSecond: Number.POSITIVE_INFINITY };
  expect(resolve(edge)).toMatchObject(edge);
  expect(resolve({ closedWorld: false, maxAbsentPerSecond: 0.1 }).maxAbsentPerSecond).toBe(0.1);
});

describe('the names of options', () => {
  test.each([
    ['ful', 'full'],
    ['FULL', 'full'],
    ['key', 'keys'],
    ['dryrun', 'dryRun'],
    ['ufll', 'full'],
    ['dryRuns', 'dryRun'],
    ['drzRvn', 'dryRun'],
  ])('%s is taken for %s', (given, meant) => {
    const known = ['full', 'keys', 'dryRun'];
    expect(nearest(given, known)).toBe(meant);
    expect(() => checkNames('refresh', { [given]: true }, known)).toThrow(
      new TypeError(`refresh: unknown option "${given}"; did you mean "${meant}"?`),
    );
  });

  test.each(['', 'all', 'u', 'fuzz', 'drei', 'xxxRun', '__proto__'])('"%s" is taken for none of them', (given) => {
    expect(nearest(given, ['full', 'keys', 'dryRun'])).toBeUndefined();
  });

  test('one letter of a short name may be wrong, three of a long one', () => {
    expect([nearest('op', ['up']), nearest('qp', ['to'])]).toEqual(['up', undefined]);
    expect(nearest('...reshInterval', ['refreshInterval'])).toBe('refreshInterval');
    expect(nearest('....eshInterval', ['refreshInterval'])).toBeUndefined();
  });

  test('a name of any length is answered at once', () => {
    const before = performance.now();
    expect(nearest('full'.repeat(1_000_000), ['full'.repeat(1_000)])).toBeUndefined();
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  test('the nearest is chosen, the first among equals', () => {
    expect(nearest('timeouts', ['softTimeout', 'timeout', 'timeous'])).toBe('timeout');
    expect(nearest('refreshIntervall', ['refreshInterals', 'refreshInterval'])).toBe('refreshInterval');
  });

  test('are all right where they are known, and where there are none', () => {
    expect(() => checkNames('refresh', {}, ['full'])).not.toThrow();
    expect(() => checkNames('refresh', { full: true }, ['full'])).not.toThrow();
    expect(() => checkNames('refresh', 'a1', ['full'])).toThrow(
      new TypeError('refresh: expected an object of options, got "a1"'),
    );
  });
});

describe('what is not said', () => {
  test('is as the documentation says', () => {
    const minute = 60_000;
    expect(resolve({ source: whole })).toEqual({
      name: 'test',
      source: whole,
      schema: undefined,
      ttl: 5 * minute,
      refreshInterval: minute,
      staleIfError: 24 * 60 * minute,
      negativeTtl: 10_000,
      timeout: 10_000,
      refreshTimeout: minute,
      softTimeout: 100,
      guard: { maxRemovedShare: 0.5, minRows: 20, acceptAfter: 2 },
      closedWorld: false,
      maxAbsentPerSecond: 100,
      maxEntries: Number.POSITIVE_INFINITY,
      onStartFailure: 'continue',
      freeze: true,
      clock: systemClock,
    });
    expect(resolve({})).toMatchObject({ refreshInterval: undefined, maxEntries: 10_000 });
    expect(resolve({ refreshInterval: '1h' }).refreshInterval).toBe(2.5 * minute);
    expect(resolve({ source: whole, ttl: Number.POSITIVE_INFINITY }).refreshInterval).toBe(minute);
    expect(Object.isFrozen(resolve({}))).toBe(true);
    expect(Object.isFrozen(resolve({}).guard)).toBe(true);
    expect(resolve({ guard: { acceptAfter: 1, minRows: undefined } }).guard).toEqual({
      maxRemovedShare: 0.5,
      minRows: 20,
      acceptAfter: 1,
    });
  });

  test('is documented option by option, and nothing else is', () => {
    const documented = [
      ...readFileSync(new URL('../../../docs/options.md', import.meta.url), 'utf8').matchAll(/^\| `(\w+)` \|/gm),
    ];
    expect(documented.map(([, name]) => name).toSorted()).toEqual(Object.keys(resolve({})).toSorted());
  });

  test('takes a source that is an instance of a class, and schemas that are functions', async () => {
    class Table {
      readonly #rows = new Map([['a', 'a']]);
      async fetchOne(key: string): Promise<string | undefined> {
        return this.#rows.get(key);
      }
      async fetchMany(): Promise<ReadonlyMap<string, string>> {
        return this.#rows;
      }
      async fetchAll(): Promise<ReadonlyMap<string, string>> {
        return this.#rows;
      }
    }
    const schema = Object.assign(() => true, { '~standard': z.string()['~standard'] });
    const cache = new TTLCacheService<string>({ name: 'test', source: new Table(), schema, clock: new VirtualClock() });
    expect(await cache.fetch('a')).toBe('a');
    expect((await cache.fetchMany(['a', 'b'])).size).toBe(1);
    expect((await cache.refresh()).outcome).toBe('unchanged');
    await cache.stop();
  });
});
