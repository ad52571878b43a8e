import { afterEach, describe, expect, test } from 'vitest';
import type { CacheEventName } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { load, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

expectNoUnhandledRejections();

const NAMES: readonly CacheEventName[] = ['refresh', 'change', 'error', 'quarantine', 'state'];
const schema = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => (value === 'bad' ? { issues: [{ message: 'bad' }] } : { value: value as string }),
  },
};

/** A life in which everything happens that is announced. */
async function live(set: ReturnType<typeof setUp<string>>): Promise<void> {
  const { source, cache } = set;
  await load(set);
  source.rows.set('a', 'new').set('b', 'bad');
  await cache.refresh();
  source.behave('fail');
  await cache.refresh();
  await cache.stop();
}

describe('a listener', () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  afterEach(() => {
    process.off('warning', note);
    warnings.length = 0;
  });

  test('that throws, or rejects, harms nobody: neither the cache nor the other listeners', async () => {
    process.on('warning', note);
    const set = setUp<string>({
      rows: [
        ['a', 'a'],
        ['b', 'b'],
      ],
      schema,
    });
    const heard = new Set<string>();
    for (const name of NAMES) {
      set.cache.on(name, () => {
        throw new Error('the listener is broken');
      });
      set.cache.on(name, async () => {
        throw new Error('the async listener is broken');
      });
      set.cache.on(name, () => {
        throw undefined;
      });
      set.cache.on(name, () => heard.add(name));
    }
    await live(set);
    await settle();
    expect([...heard].toSorted()).toEqual(NAMES.toSorted());
    expect(set.cache.status().state).toBe('stopped');
    const told = new Set(warnings.map(({ name, message }) => `${name}: ${message}`));
    for (const name of NAMES) {
      expect(told).toContain(
        `CacheListenerWarning: cache "test": a listener of "${name}" threw: the listener is broken`,
      );
      expect(told).toContain(
        `CacheListenerWarning: cache "test": a listener of "${name}" threw: the async listener is broken`,
      );
    }
  });

  test('hears until it is taken off, also in the middle of an event', async () => {
    const { cache } = setUp({ rows: [['a', 'a']] });
    const heard: string[] = [];
    const off = cache.on('refresh', () => {
      heard.push('first');
      offSecond();
    });
    const offSecond = cache.on('refresh', () => heard.push('second'));
    await cache.refresh();
    off();
    off();
    await cache.refresh();
    expect(heard).toEqual(['first', 'second']);
  });

  test('that was given twice hears twice, and each of the two is taken off alone', async () => {
    const { cache } = setUp({ rows: [['a', 'a']] });
    let heard = 0;
    const listener = (): void => {
      heard += 1;
    };
    const [off, offOther] = [cache.on('refresh', listener), cache.on('refresh', listener)];
    await cache.refresh();
    expect(heard).toBe(2);
    off();
    off();
    await cache.refresh();
    expect(heard).toBe(3);
    offOther();
    await cache.refresh();
    expect(heard).toBe(3);
  });

  test('cannot change what the others hear, nor what the report says', async () => {
    const set = setUp<string>({
      rows: [
        ['a', 'a'],
        ['b', 'b'],
        ['c', 'c'],
      ],
      schema,
      guard: {},
    });
    const { cache, source } = set;
    const heard = new Map<string, object[]>();
    const hear = (name: string, event: object): void => {
      const events = heard.get(name) ?? [];
      heard.set(name, [...events, event]);
    };
    for (const name of ['refresh', 'change', 'held', 'quarantine', 'state'] as const) {
      cache.on(name, (event) => hear(name, event));
    }
    await load(set);
    source.rows.set('a', 'new').set('b', 'bad').delete('c');
    await cache.refresh();
    source.rows.clear();
    await cache.refresh();
    cache.accept();
    const all = [...heard.values()].flat();
    for (const event of all) {
      expect(() => Object.assign(event, { generation: 5 })).toThrow(TypeError);
      for (const list of Object.values(event).filter(Array.isArray)) expect(() => list.push('more')).toThrow(TypeError);
    }
    expect([...heard.keys()].toSorted()).toEqual(['change', 'held', 'quarantine', 'refresh', 'state']);
    await cache.stop();
  });

  test('may change an error: it belongs to whoever threw it', async () => {
    const set = setUp<string>({ methods: ['fetchAll'] });
    set.cache.on('error', (error) => Object.assign(error, { note: 'seen' }));
    set.source.behave('fail');
    expect(await set.cache.refresh()).toMatchObject({ outcome: 'failed', error: { note: 'seen' } });
    await set.cache.stop();
  });

  test('may ask the cache for more: a refresh in a listener is one that waits', async () => {
    const { cache, source } = setUp<string>({ rows: [['a', 'v1']] });
    let once = true;
    let second: Promise<unknown> | undefined;
    cache.on('change', () => {
      if (!once) return;
      once = false;
      source.rows.set('a', 'v2');
      void cache.invalidate('a');
      second = cache.refresh();
    });
    await cache.refresh();
    expect(cache.get('a')).toBeUndefined();
    await second;
    expect(cache.get('a')).toBe('v2');
    expect(source.count()).toBe(2);
  });
});

test('an event that is none, and a listener that is none, are refused with what was expected and what came', () => {
  const { cache } = setUp<string>();
  const listen = cache.on.bind(cache) as (name: unknown, listener: unknown) => () => void;
  const all = 'refresh, change, error, held, quarantine, state';
  for (const [name, says] of [
    ['refesh', 'unknown event "refesh"; did you mean "refresh"?'],
    ['Change', 'unknown event "Change"; did you mean "change"?'],
    ['hit', `unknown event "hit"; expected one of ${all}`],
    ['__proto__', `unknown event "__proto__"; expected one of ${all}`],
    [undefined, `unknown event undefined; expected one of ${all}`],
    [Symbol('change'), `unknown event a value of type symbol; expected one of ${all}`],
  ] as const) {
    expect(() => listen(name, () => undefined)).toThrow(new TypeError(`cache "test": on: ${says}`));
  }
  for (const [listener, came] of [
    [5, '5'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ handleEvent: () => undefined }, 'a value of type object'],
  ] as const) {
    const says = `cache "test": on: expected the listener of "refresh" to be a function, got ${came}`;
    expect(() => listen('refresh', listener)).toThrow(new TypeError(says));
  }
  for (const name of all.split(', ')) listen(name, () => undefined)();
});

describe('change', () => {
  test.each(WITH_SNAPSHOT)(
    'says what a refresh changed, all of it, and comes when it can be read ($shape)',
    async ({ methods }) => {
      const set = setUp<string>({ methods, rows: [...'abc'].map((key) => [key, key] as const) });
      const { cache, source } = set;
      const changes: unknown[] = [];
      cache.on('change', (change) => changes.push({ ...change, sees: cache.get('a') }));
      await load(set);
      source.rows.set('a', 'new').set('d', 'd');
      source.rows.delete('b');
      await cache.refresh();
      await cache.refresh();
      source.rows.set('a', 'newer');
      await cache.refresh({ keys: ['a'] });
      expect(changes).toEqual([
        { generation: 1, added: ['a', 'b', 'c'], updated: [], removed: [], sees: 'a' },
        { generation: 2, added: ['d'], updated: ['a'], removed: ['b'], sees: 'new' },
        { generation: 3, added: [], updated: ['a'], removed: [], sees: 'newer' },
      ]);
      await cache.stop();
    },
  );

  test('names no key that was invalidated or fetched later than the snapshot', async () => {
    const set = setUp<string>({
      methods: ['fetchAll', 'fetchOne'],
      rows: [...'abcd'].map((key) => [key, key] as const),
    });
    const { cache, source, calls } = set;
    await load(set);
    const changes: unknown[] = [];
    cache.on('change', (change) => changes.push(change));
    for (const key of 'abd') source.rows.set(key, 'new');
    source.rows.delete('c');
    source.behave((_, method) => (method === 'fetchAll' ? 'hold' : 'answer'));
    const refresh = cache.refresh();
    await cache.fetch('a', { fresh: true });
    await cache.fetch('c', { fresh: true });
    source.rows.set('b', 'newer');
    await cache.fetch('b', { fresh: true });
    calls[1]!.answer();
    expect(await refresh).toMatchObject({ updated: 1, removed: 0, sampleKeys: ['d'] });
    expect(changes).toEqual([{ generation: 2, added: [], updated: ['d'], removed: [] }]);
    await cache.stop();
  });

  test('names a key that was removed, even if another came and went while the snapshot was read', async () => {
    const set = setUp<string>({
      methods: ['fetchAll', 'fetchOne'],
      rows: [...'abc'].map((key) => [key, key] as const),
    });
    const { cache, source, calls } = set;
    await load(set);
    source.behave('hold');
    const single = cache.fetch('a', { fresh: true });
    source.rows.delete('c');
    source.behave('pause');
    const refresh = cache.refresh();
    await settle();
    // For a moment a did not exist.
    calls[1]!.answer(new Map());
    await single;
    calls[2]!.answer();
    expect(await refresh).toMatchObject({ removed: 1, sampleKeys: ['c'] });
    expect([...cache.keys()].toSorted()).toEqual(['a', 'b']);
    await cache.stop();
  });
});

test('state tells each change once, with where it came from', async () => {
  const set = setUp<string>({ rows: [['a', 'a']] });
  const { cache, source, clock } = set;
  const states: string[] = [];
  cache.on('state', ({ from, to }) => states.push(`${from} > ${to}`));
  await load(set);
  source.behave('fail');
  await clock.advance('10m');
  source.behave('answer');
  await clock.advance('1m');
  await cache.invalidateAll();
  await settle();
  await cache.stop();
  expect(states).toEqual([
    'idle > starting',
    'starting > live',
    'live > degraded',
    'degraded > live',
    'live > degraded',
    'degraded > live',
    'live > stopped',
  ]);
});

test('state tells of a set that ages, without a read and without a refresh', async () => {
  const set = setUp<string>({ rows: [['a', 'a']], ttl: '5m', refreshTimeout: '1h' });
  const states: string[] = [];
  await load(set);
  set.cache.on('state', ({ to }) => states.push(to));
  set.source.behave('hang');
  await set.clock.advance('5m');
  expect(states).toEqual([]);
  await set.clock.advance(1);
  expect(states).toEqual(['degraded']);
  await set.cache.stop();
});

test('error tells of each call to the source that failed, and of nothing else', async () => {
  const { cache, source } = setUp<string>({ rows: [['a', 'bad']], schema });
  const errors: unknown[] = [];
  cache.on('error', ({ code }) => errors.push(code));
  await cache.fetch('a').catch(() => undefined);
  await cache.fetch('b');
  source.behave('fail');
  await cache.fetch('c').catch(() => undefined);
  source.behave('half');
  await cache.refresh();
  source.behave('fail');
  await cache.refresh();
  await cache.refresh({ keys: ['a'] });
  await cache.fetch('d').catch(() => undefined);
  // The last one met an open breaker: the source was not called.
  expect(errors).toEqual(['source-failed', 'invalid-snapshot', 'source-failed', 'source-failed']);
});
