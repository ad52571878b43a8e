import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { memoByIdentity, type Source, TTLCacheService } from '../src/index.ts';
import { KeysByMoment } from '../src/keys-by-moment.ts';
import { resolveOptions } from '../src/options.ts';
import { assemble } from '../src/parts.ts';
import { ScriptedSource, settle } from '../testing/index.ts';
import { ON_DEMAND, SHAPES, SteadyClock, setUp, WITH_SNAPSHOT } from './support/set-up.ts';

const rowsOf = (count: number): (readonly [string, string])[] =>
  Array.from({ length: count }, (_, index) => [`key ${index}`, `value ${index}`]);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** How many of these objects are still held by something. */
async function alive(references: readonly WeakRef<object>[]): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    await settle();
    collect();
  }
  return references.filter((reference) => reference.deref() !== undefined).length;
}

test.each(SHAPES)('holds nothing of what is over: flights, tickets, marks ($shape)', async ({ methods }) => {
  const clock = new SteadyClock();
  const source = new ScriptedSource<string>({ clock, methods, rows: rowsOf(50) });
  const options = resolveOptions<string>({ name: 'test', source, clock, timeout: '1s', refreshTimeout: '1s' });
  const parts = assemble<string>(options);
  const { fence, fetching, refresher } = parts;
  const marks = (): number => [...fence.keysMarkedAfter(0)].length;
  const whole = { reason: 'test', whole: true, full: false, keys: [], dryRun: false, awaited: true, insist: false };
  source.behave((call) => (['answer', 'fail', 'hang', 'refuse', 'half'] as const)[call % 5]!);
  for (let turn = 0; turn < 30; turn += 1) {
    const waits: Promise<unknown>[] = [fetching.fetch(`key ${turn}`), fetching.fetchMany(['key 1', 'missing'])];
    waits.push(refresher.refresh(whole), refresher.refresh({ ...whole, whole: false, keys: ['key 2', 'key 3'] }));
    fence.invalidate(`key ${turn}`);
    const settled = Promise.allSettled(waits);
    await clock.advance('5s');
    await settled;
    expect(marks()).toBe(0);
  }
  // With nothing under way a mark is not even made.
  fence.invalidate('a');
  expect(marks()).toBe(0);
  source.behave('answer');
  const { sourceCalls } = parts.counters;
  const landed = await fetching.fetch('key 49', { fresh: true });
  expect(landed).toBe('value 49');
  expect(parts.counters.sourceCalls).toBe(sourceCalls + 1);
  await clock.advance('1d');
  await clock.advance('1d');
  expect(clock.pendingTimers).toBe(0);
});

describe('what expires one by one', () => {
  /** How many places are taken, in all the queues that were used. */
  function watchQueues(): () => number {
    const queues = new Set<KeysByMoment>();
    const { set } = KeysByMoment.prototype;
    vi.spyOn(KeysByMoment.prototype, 'set').mockImplementation(function (this: KeysByMoment, key, moment) {
      queues.add(this);
      set.call(this, key, moment);
    });
    return () => [...queues].reduce((sum, { size }) => sum + size, 0);
  }

  test.each(ON_DEMAND)('takes one place, however often it was forgotten or replaced ($shape)', async ({ methods }) => {
    const places = watchQueues();
    const { cache } = setUp<string>({ methods, rows: rowsOf(2) });
    for (let turn = 0; turn < 500; turn += 1) {
      await cache.fetchMany(['key 0', 'key 1'], { fresh: true });
      await cache.invalidate('key 0');
    }
    expect(places()).toBe(1);
    await cache.invalidateAll();
    expect(places()).toBe(0);
  });

  test.each(ON_DEMAND)('takes one place, however often it expired and was read again ($shape)', async ({ methods }) => {
    const places = watchQueues();
    const { cache, clock } = setUp<string>({ methods, rows: rowsOf(1), ttl: '1s', staleIfError: '1d' });
    for (let turn = 0; turn < 200; turn += 1) {
      await cache.fetch('key 0');
      expect(places()).toBe(1);
      await clock.advance('2s');
    }
  });
});

describe('what can be collected', () => {
  test.each(WITH_SNAPSHOT)('a value that was replaced, with what was derived from it ($shape)', async ({ methods }) => {
    const set = setUp<object>({ methods, rows: [['a', { n: 0 }]] });
    const { source, cache } = set;
    const derived = cache.derive((value) => ({ from: value }));
    const replaced: WeakRef<object>[] = [];
    for (let n = 1; n <= 50; n += 1) {
      source.rows.set('a', { n });
      await cache.refresh();
      derived.get('a');
      replaced.push(new WeakRef(cache.get('a')!));
    }
    source.calls.length = 0;
    expect(await alive(replaced)).toBeLessThanOrEqual(2);
    expect(cache.get('a')).toEqual({ n: 50 });
  });

  test('a set that was replaced, though a stream hangs that was compared with it', async () => {
    const clock = new SteadyClock();
    // As a socket that nobody closes: it can still answer.
    const hanging: unknown[] = [];
    let turn = 0;
    async function* hang(): AsyncGenerator<readonly [string, object]> {
      yield ['a', { turn }];
      await new Promise((resolve) => hanging.push(resolve));
    }
    const fetchAll = async () => {
      turn += 1;
      return turn % 2 === 1 ? [['a', { turn }] as const, ['b', { turn }] as const] : hang();
    };
    const source = { fetchAll, breakerKey: () => turn };
    const cache = new TTLCacheService<object>({ name: 'test', source, clock, refreshTimeout: '1s' });
    const replaced: WeakRef<object>[] = [];
    for (let n = 0; n < 20; n += 1) {
      await cache.refresh();
      replaced.push(new WeakRef(cache.get('b')!));
      const hung = cache.refresh();
      await clock.advance('2s');
      expect(await hung).toMatchObject({ outcome: 'failed' });
    }
    expect(hanging).toHaveLength(20);
    expect(await alive(replaced)).toBeLessThanOrEqual(2);
  });

  test('a cache that was dropped, with its source and its breaker', async () => {
    const references: WeakRef<object>[] = [];
    for (let n = 0; n < 20; n += 1) {
      const source: Source<string> = { fetchOne: async () => 'a', breakerKey: n % 2 ? () => n : { n } };
      const cache = new TTLCacheService<string>({ name: 'test', source });
      await cache.start();
      await cache.fetch('a');
      await cache.stop();
      references.push(new WeakRef(cache), new WeakRef(source), new WeakRef(source.breakerKey as object));
    }
    // What the stack or a register still points at may live on; a leak would be all of one kind: 20.
    expect(await alive(references)).toBeLessThanOrEqual(9);
  });

  test('what memoByIdentity has built, with one of the objects it was built from', async () => {
    const stays = {};
    const build = memoByIdentity((...inputs: readonly unknown[]) => ({ inputs }));
    const built: WeakRef<object>[] = [];
    for (let n = 0; n < 50; n += 1) built.push(new WeakRef(build({ n }, 'text', stays, () => n)));
    expect(await alive(built)).toBeLessThanOrEqual(1);
  });
});
