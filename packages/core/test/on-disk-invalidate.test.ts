import { readdirSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { settle } from '../testing/index.ts';
import { FOLLOWING, type Machine, setUpDisk, temporaryDirectory } from './support/disk.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

const rowsOf = (text: string): (readonly [string, string])[] => [...text].map((key) => [key, key]);

/** What a process that was killed now would leave to the next one, whose source is down. */
async function afterKill(
  path: string,
  machine: Machine,
): Promise<{ get(key: string): unknown; state(key: string): string; size: number }> {
  const copy = join(await temporaryDirectory(), 'copy');
  await writeFile(copy, await readFile(path).catch(() => ''), { mode: 0o600 });
  const { cache, inner } = await setUpDisk({ path: copy, machine, methods: FOLLOWING });
  inner.behave('fail');
  await cache.start();
  return { get: (key) => cache.get(key), state: (key) => cache.inspect(key).state, size: cache.size };
}

describe('what was invalidated', () => {
  test('is unknown to the next process as soon as invalidate has resolved, and everything else is there', async () => {
    const { cache, inner, machine, path, disk } = await setUpDisk({ rows: rowsOf('abc') });
    await cache.start();
    await expect.poll(() => disk().ageMs).toBe(0);
    inner.behave('fail');
    await cache.invalidate(['a', 'b']);
    const next = await afterKill(path, machine);
    expect(next.state('a')).toBe('unknown');
    expect([next.get('a'), next.get('b'), next.get('c')]).toEqual([undefined, undefined, 'c']);
  });

  test('is not taken for absent in a closed world', async () => {
    const first = await setUpDisk({ rows: rowsOf('ab'), closedWorld: true });
    await first.cache.start();
    first.inner.behave('fail');
    await first.cache.invalidate('a');
    const second = await first.next();
    await second.cache.start();
    await expect(second.cache.fetch('a')).rejects.toMatchObject({ name: 'CacheError' });
    await expect(second.cache.fetch('z')).resolves.toBeUndefined();
  });

  test('is read again after a restart though no delta would bring it, and is on disk again then', async () => {
    const first = await setUpDisk({ rows: rowsOf('abc') });
    await first.cache.start();
    first.inner.behave('fail');
    await first.cache.invalidate(['a', 'b']);
    first.inner.behave('answer');
    first.inner.rows.delete('b');
    const second = await first.next();
    await second.cache.start();
    expect([second.cache.get('a'), second.cache.get('b'), second.cache.get('c')]).toEqual(['a', undefined, 'c']);
    expect(second.inner.count('fetchAll')).toBe(1);
    const third = await second.next();
    third.inner.behave('fail');
    await third.cache.start();
    expect([...third.cache.keys()].toSorted()).toEqual(['a', 'c']);
    expect(third.cache.status().source).not.toHaveProperty('disk.warning');
  });

  test('comes back to the disk by the next round of the same process', async () => {
    const { cache, machine, path } = await setUpDisk({ rows: rowsOf('abc') });
    await cache.start();
    await cache.invalidate('a');
    await settle();
    expect(cache.get('a')).toBe('a');
    expect((await afterKill(path, machine)).get('a')).toBeUndefined();
    await cache.refresh();
    await cache.stop();
    expect((await afterKill(path, machine)).get('a')).toBe('a');
  });

  test.each(['fetchAll', 'fetchChanges'])('is not brought back by a %s that was sent before', async (method) => {
    const { cache, inner, machine, path } = await setUpDisk({ rows: rowsOf('abc') });
    await cache.start();
    inner.rows.set('a', 'older');
    inner.behave((_, asked) => (asked === method ? 'hold' : 'fail'));
    const refreshed = cache.refresh({ full: method === 'fetchAll' });
    await settle();
    await cache.invalidate('a');
    inner.calls.findLast((call) => call.method === method)!.answer();
    await refreshed;
    await cache.stop();
    const next = await afterKill(path, machine);
    expect([next.state('a'), next.get('b')]).toEqual(['unknown', 'b']);
  });

  test('altogether is no file at all, whatever is on its way to it', async () => {
    const { cache, inner, machine, path } = await setUpDisk({ rows: rowsOf('abc') });
    await cache.start();
    inner.behave('fail');
    await cache.invalidateAll();
    expect((await afterKill(path, machine)).size).toBe(0);
    inner.behave('answer');
    await cache.refresh();
    inner.rows.set('a', 'new');
    // Published, and not saved yet.
    const off = cache.on('change', () => void cache.invalidateAll());
    inner.behave((_, method) => (method === 'fetchChanges' ? 'answer' : 'fail'));
    await cache.refresh();
    off();
    await cache.stop();
    expect((await afterKill(path, machine)).size).toBe(0);
  });

  test('altogether while the file is written anew is no failure of the disk', async () => {
    const { cache, inner, disk, path } = await setUpDisk({ rows: rowsOf('abc') });
    await cache.start();
    await expect.poll(() => disk().ageMs).toBe(0);
    // A delta larger than the snapshot, so that the file is written anew.
    const isBegun = (): boolean => readdirSync(dirname(path)).some((name) => name.endsWith('.tmp'));
    inner.rows.set('b', 'x'.repeat(3_000_000));
    await cache.refresh();
    inner.behave('fail');
    await expect.poll(isBegun, { interval: 1 }).toBe(true);
    await cache.invalidateAll();
    await cache.stop();
    expect(disk()).not.toHaveProperty('warning');
  });

  test('by a listener of the very change that brings it is unknown', async () => {
    const { cache, inner, machine, path } = await setUpDisk({ rows: rowsOf('abc') });
    await cache.start();
    inner.rows.set('a', 'new');
    const off = cache.on('change', () => void cache.invalidate('a'));
    inner.behave((_, method) => (method === 'fetchChanges' ? 'answer' : 'fail'));
    await cache.refresh();
    off();
    await cache.stop();
    const next = await afterKill(path, machine);
    expect([next.state('a'), next.get('b')]).toEqual(['unknown', 'b']);
  });

  test('is an error where it can neither be written down nor the file removed; in memory it is forgotten', async () => {
    const { cache, path, disk, inner } = await setUpDisk({ rows: rowsOf('ab') });
    await cache.start();
    await expect.poll(() => disk().ageMs).toBe(0);
    await rm(path);
    await mkdir(path);
    inner.behave('fail');
    await expect(cache.invalidate('a')).rejects.toMatchObject({ code: 'not-saved', cause: { code: 'EISDIR' } });
    expect([cache.get('a'), cache.get('b')]).toEqual([undefined, 'b']);
    await expect(cache.invalidateAll()).rejects.toMatchObject({ code: 'not-saved' });
    expect(cache.size).toBe(0);
  });

  test('is no error where somebody has removed the file; the next round makes another', async () => {
    const { cache, path, disk, machine, inner } = await setUpDisk({ rows: rowsOf('ab') });
    await cache.start();
    await expect.poll(() => disk().ageMs).toBe(0);
    await rm(path);
    inner.behave('fail');
    await cache.invalidate('a');
    inner.behave('answer');
    await machine.clock.advance('1h');
    await cache.refresh();
    await cache.stop();
    expect((await afterKill(path, machine)).size).toBe(2);
  });

  test('waits for a file system that does not answer no longer than for a source', async () => {
    const { cache, source, machine } = await setUpDisk({ rows: rowsOf('ab') });
    await cache.start();
    source.invalidated = () => new Promise(() => {});
    const refused = expect(cache.invalidate('a')).rejects.toMatchObject({ code: 'not-saved' });
    await machine.clock.advance('10s');
    await refused;
  });
});

describe('what is held', () => {
  test('is not in the file, nor is anything that came with it', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => [`${n}`, 'old'] as const);
    const first = await setUpDisk<string>({ methods: ['fetchAll'], rows, guard: {} });
    await first.cache.start();
    first.inner.rows.clear();
    first.inner.rows.set('new', 'new');
    await first.cache.refresh();
    expect(first.cache.status().state).toBe('held');
    const second = await first.next();
    second.inner.behave('fail');
    await second.cache.start();
    expect([second.cache.size, second.cache.get('new')]).toEqual([30, undefined]);
  });

  test.each([['fetchAll'], ['fetchAll', 'fetchChanges']] as const)(
    'and then accepted is gone from the file with the next round (%s, %s)',
    async (...methods) => {
      const rows = Array.from({ length: 30 }, (_, n) => [`${n}`, 'old'] as const);
      const first = await setUpDisk({ methods: methods.filter((method) => method !== undefined), rows, guard: {} });
      await first.cache.start();
      for (const [key] of rows.slice(1)) first.inner.rows.delete(key);
      await first.cache.refresh();
      first.cache.accept();
      await first.cache.refresh();
      const second = await first.next();
      second.inner.behave('fail');
      await second.cache.start();
      expect(second.cache.size).toBe(1);
    },
  );
});

test('a value that was fetched singly is not confirmed in the file by a snapshot that changes nothing', async () => {
  const first = await setUpDisk({ methods: ['fetchAll', 'fetchOne'], rows: rowsOf('ab') });
  await first.cache.start();
  first.inner.rows.set('a', 'new');
  await first.cache.fetch('a', { fresh: true });
  expect(await first.cache.refresh()).toMatchObject({ outcome: 'unchanged' });
  const second = await first.next();
  second.inner.behave('fail');
  await second.cache.start();
  expect(second.cache.get('a')).toBe('new');
});

test('what was only tried is not saved', async () => {
  const first = await setUpDisk({ rows: rowsOf('ab') });
  await first.cache.start();
  first.inner.rows.set('a', 'new');
  await first.cache.refresh({ dryRun: true });
  await first.cache.refresh({ dryRun: true, full: true });
  const second = await first.next();
  second.inner.behave('fail');
  await second.cache.start();
  expect(second.cache.get('a')).toBe('a');
});
