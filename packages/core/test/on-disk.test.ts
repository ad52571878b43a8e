import { mkdir, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { onDisk, TTLCacheService } from '../src/index.ts';
import { ScriptedSource, VirtualClock } from '../testing/index.ts';
import { Machine, setUpDisk, temporaryDirectory } from './support/disk.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);

describe('after a restart', () => {
  test('the cache is served at once, as old as it is, while the source is down', async () => {
    const first = await setUpDisk({ rows: rowsOf('abc') });
    await first.cache.start();
    first.inner.rows.set('b', 'new').delete('c');
    await first.cache.refresh();
    const second = await first.next();
    second.inner.behave('fail');
    await second.machine.clock.advance('10m');
    await second.cache.start();
    expect([...second.cache.entries()]).toEqual([
      ['a', 'a'],
      ['b', 'new'],
    ]);
    expect(second.cache.inspect('a')).toMatchObject({ state: 'stale', value: 'a', ageMs: 600_000 });
    expect(second.cache.status()).toMatchObject({ state: 'degraded', ageMs: 600_000 });
    await expect(second.cache.fetch('b')).resolves.toBe('new');
  });

  test('it goes on by what has changed, at once, and is live', async () => {
    const first = await setUpDisk({ rows: rowsOf('abc') });
    await first.cache.start();
    const second = await first.next();
    const before = second.inner.calls.length;
    second.inner.rows.set('b', 'new');
    await second.machine.clock.advance('10m');
    await second.cache.start();
    expect(second.inner.calls.slice(before).map(({ method, since }) => [method, since])).toEqual([['fetchChanges', 3]]);
    expect(second.cache.get('b')).toBe('new');
    expect(second.cache.status()).toMatchObject({
      state: 'live',
      ageMs: 0,
      lastRefresh: { reason: 'start', kind: 'delta' },
    });
    expect(second.cache.reports().map(({ reason, outcome, added }) => [reason, outcome, added])).toEqual([
      ['restore', 'published', 3],
      ['start', 'published', 0],
    ]);
  });

  test('a source that cannot say what has changed is read whole, and unchanged rows stay what they are', async () => {
    const first = await setUpDisk<object>({ methods: ['fetchAll'], rows: [['a', { n: 1 }]] });
    await first.cache.start();
    const second = await first.next();
    const seen: unknown[] = [];
    second.cache.on('change', () => seen.push(second.cache.get('a')));
    await second.cache.start();
    expect(second.inner.count('fetchAll')).toBe(2);
    expect(seen).toEqual([{ n: 1 }]);
    expect(second.cache.get('a')).toBe(seen[0]);
    expect(Object.isFrozen(seen[0])).toBe(true);
  });

  test('start waits for a slow source no longer than softTimeout, and does not fail because it is down', async () => {
    const first = await setUpDisk({ rows: rowsOf('a') });
    await first.cache.start();
    const second = await first.next({ onStartFailure: 'throw' });
    second.inner.behave('hang');
    const started = second.cache.start();
    await expect.poll(() => second.cache.get('a')).toBe('a');
    await second.machine.clock.advance('100ms');
    await started;
    const third = await second.next({ onStartFailure: 'throw' });
    third.inner.behave('fail');
    await third.cache.start();
    expect(third.cache.get('a')).toBe('a');
  });

  test('what is too old to be served is not, and start fails where it has to', async () => {
    const first = await setUpDisk({ rows: rowsOf('a'), ttl: '5m', staleIfError: '1h' });
    await first.cache.start();
    const second = await first.next({ onStartFailure: 'throw' });
    await second.machine.clock.advance('65m');
    await second.machine.clock.advance(1);
    second.inner.behave('fail');
    await expect(second.cache.start()).rejects.toMatchObject({ code: 'source-failed' });
    expect(second.cache.get('a')).toBeUndefined();
  });

  test('it says nothing about the source: a breaker that is open stays so, and keeps nobody from the file', async () => {
    const first = await setUpDisk({ rows: rowsOf('a') });
    await first.cache.start();
    await first.cache.stop();
    first.inner.behave('fail');
    const other = await setUpDisk({ machine: first.machine, inner: first.inner });
    await other.cache.start();
    await other.machine.clock.advance('2s');
    expect(other.cache.status().breaker).toBe('open');
    const second = await first.next();
    await second.cache.start();
    expect(second.cache.get('a')).toBe('a');
    expect(second.cache.status()).toMatchObject({ breaker: 'open', state: 'degraded' });
  });

  test('a fetch that came first is newer than the file, and so is one under way', async () => {
    const first = await setUpDisk({ rows: rowsOf('ab') });
    await first.cache.start();
    const second = await first.next();
    second.inner.rows.set('a', 'new');
    await second.cache.fetch('a');
    second.inner.behave('hang');
    const started = second.cache.start();
    await expect.poll(() => second.inner.calls.at(-1)!.method).toBe('fetchAll');
    expect(second.cache.get('a')).toBe('new');
    await second.cache.stop();
    await started;

    const third = await first.next();
    third.inner.behave((_, method) => (method === 'fetchMany' ? 'hold' : 'hang'));
    const fetching = third.cache.fetch('a');
    const starting = third.cache.start();
    await expect.poll(() => third.cache.get('b')).toBe('b');
    third.inner.calls.findLast(({ method }) => method === 'fetchMany')!.answer();
    await fetching;
    expect(third.cache.get('a')).toBe('new');
    await third.cache.stop();
    await starting;
  });

  test('stop at any moment of it is quiet', async () => {
    const first = await setUpDisk({ rows: rowsOf('abc') });
    await first.cache.start();
    let set = first;
    for (let turns = 0; turns < 20; turns += 1) {
      set = await set.next();
      const started = set.cache.start();
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      await set.cache.stop();
      await started;
      expect(set.cache.size).toBe(0);
    }
    const last = await set.next();
    await last.cache.start();
    expect(last.cache.size).toBe(3);
  });

  test('Date, Map, BigInt, Buffer and typed arrays are what they were', async () => {
    const row = { at: new Date(0), by: new Map([['k', 1n]]), raw: Buffer.from('x'), numbers: new Float64Array([1.5]) };
    const first = await setUpDisk<object>({ rows: [['a', row]] });
    await first.cache.start();
    const second = await first.next();
    second.inner.behave('fail');
    await second.cache.start();
    expect(second.cache.get('a')).toEqual(row);
  });

  test('any string is a key', async () => {
    const keys = ['__proto__', '', 'constructor', '\ud800', '🔑', 'x'.repeat(1_000_000)];
    const first = await setUpDisk<string>({ rows: keys.map((key) => [key, 'x']) });
    await first.cache.start();
    const second = await first.next();
    second.inner.behave('fail');
    await second.cache.start();
    expect([...second.cache.keys()]).toEqual(keys);
  });
});

describe('the file', () => {
  test('is for this user alone, and so is the directory that is made for it', async () => {
    const path = join(await temporaryDirectory(), 'deep', 'rows.snapshot');
    const { cache } = await setUpDisk({ path, rows: rowsOf('a') });
    await cache.start();
    await cache.stop();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(path))).toEqual(['rows.snapshot']);
  });

  test('of another program is left alone', async () => {
    const path = join(await temporaryDirectory(), 'precious');
    await writeFile(path, 'precious');
    const { cache, disk } = await setUpDisk({ path, rows: rowsOf('a') });
    await cache.start();
    await expect.poll(() => disk().warning).toMatch(/left alone/);
    await cache.invalidate('a');
    await cache.invalidateAll();
    await cache.stop();
    expect((await stat(path)).size).toBe(8);
  });

  test('of another version of the rows is ignored, and replaced', async () => {
    const first = await setUpDisk({ rows: rowsOf('a'), version: '1' });
    await first.cache.start();
    const second = await first.next({ version: '2' });
    second.inner.behave('fail');
    await second.cache.start();
    expect(second.cache.size).toBe(0);
    expect(second.disk().warning).toContain('another version');
    second.inner.behave('answer');
    await second.cache.refresh();
    const third = await second.next({ version: '2' });
    third.inner.behave('fail');
    await third.cache.start();
    expect(third.cache.size).toBe(1);
  });

  test('that cannot be written costs a warning, and no refresh', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, '');
    const { cache, disk, inner, machine } = await setUpDisk({ path: join(path, 'no directory'), rows: rowsOf('a') });
    await cache.start();
    expect(cache.get('a')).toBe('a');
    await expect.poll(() => disk().warning).toMatch(/^nothing is saved: /);
    // One snapshot on behalf of the file, if it can be written by then; not one a minute.
    for (let minute = 0; minute < 9; minute += 1) {
      await machine.clock.advance('1m');
      await cache.refresh();
    }
    expect(inner.count('fetchAll')).toBe(1);
    await machine.clock.advance('2m');
    await cache.refresh();
    expect(inner.count('fetchAll')).toBe(2);
    expect(cache.status().state).toBe('live');
  });

  test('is put right ten minutes after a failure, however many deltas were waiting behind it', async () => {
    const { cache, disk, inner, machine, path } = await setUpDisk({ rows: rowsOf('a') });
    await cache.start();
    await expect.poll(() => disk().ageMs).toBe(0);
    await rm(path);
    await mkdir(path);
    for (const value of ['1', '2', '3']) {
      inner.rows.set('a', value);
      await cache.refresh();
    }
    await expect.poll(() => disk().warning).toBe('nothing is saved: EISDIR');
    await rmdir(path);
    await machine.clock.advance('9m');
    expect(inner.count('fetchAll')).toBe(1);
    await machine.clock.advance('2m');
    expect(inner.count('fetchAll')).toBe(2);
    await expect.poll(() => disk().warning).toBeUndefined();
  });

  test('is not made for rows that would come back as something else', async () => {
    class Money {
      readonly amount = 1;
    }
    for (const row of [new Money(), { fetch: () => 1 }]) {
      const { cache, disk, path } = await setUpDisk<object>({ rows: [['a', row]] });
      await cache.start();
      await expect.poll(() => disk().warning).toMatch(/plain data/);
      await cache.stop();
      await expect(stat(path)).rejects.toThrow('ENOENT');
    }
  });

  test('is written anew when its deltas have become larger than its snapshot', async () => {
    const big = 'x'.repeat(100_000);
    const first = await setUpDisk({ rows: rowsOf('abc') });
    await first.cache.start();
    const sizes: number[] = [];
    for (let round = 0; round < 40; round += 1) {
      first.inner.rows.set('b', big + round);
      if (round === 20) first.inner.rows.delete('c');
      await first.cache.refresh();
      await expect.poll(() => first.disk().ageMs).toBe(0);
      sizes.push(first.disk().bytes as number);
      await first.machine.clock.advance(1);
    }
    await first.cache.stop();
    expect((await stat(first.path)).size).toBeLessThan(2_000_000);
    const second = await first.next();
    second.inner.behave('fail');
    await second.cache.start();
    expect([...second.cache.entries()].toSorted()).toEqual([
      ['a', 'a'],
      ['b', `${big}39`],
    ]);
  });
});

test('wrong options are a TypeError: option, expected, got', async () => {
  const source = new ScriptedSource({ clock: new VirtualClock() });
  const wrong =
    (options: unknown, inner: unknown = source): (() => unknown) =>
    () =>
      onDisk(inner as never, options as never);
  expect(wrong({})).toThrow('onDisk: option "path": expected the path of a file, got undefined');
  expect(wrong({ path: 'x', version: 3 })).toThrow('onDisk: option "version": expected a string, got number');
  expect(wrong({ pth: 'x' })).toThrow('did you mean "path"?');
  expect(wrong({ path: 'x' }, { fetchOne: async () => 1 })).toThrow('expected a source with fetchAll');
});

test('two caches of one process cannot have one file; after a stop it is free', async () => {
  const { path, cache } = await setUpDisk();
  const source = new ScriptedSource({ clock: new Machine().clock });
  expect(() => onDisk(source, { path: `${dirname(path)}/./rows.snapshot` })).toThrow(TypeError);
  await cache.stop();
  expect(onDisk(source, { path })).toBeDefined();
});

test('a position that cannot leave its process is left out: everything is read once after a restart', async () => {
  class Position {
    readonly #secret = 1;
    get secret(): number {
      return this.#secret;
    }
  }
  const path = join(await temporaryDirectory(), 'rows');
  const asked: unknown[] = [];
  const source = {
    fetchAll: async () => {
      asked.push('all');
      return { entries: rowsOf('ab'), cursor: new Position() };
    },
    fetchChanges: async (since: unknown) => {
      asked.push((since as Position).secret);
      return { upserts: [], deletes: [], cursor: new Position() };
    },
  };
  const make = () => new TTLCacheService({ name: 'test', source: onDisk<string>(source, { path }) });
  const first = make();
  await first.start();
  await first.refresh();
  await first.stop();
  const second = make();
  await second.start();
  await second.refresh();
  await second.stop();
  expect(asked).toEqual(['all', 1, 'all', 1]);
  expect(second.reports()[0]).toMatchObject({ reason: 'restore', added: 2 });
});
