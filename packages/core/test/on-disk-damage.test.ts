import { appendFile, chmod, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type DiskSetUp, setUpDisk, temporaryDirectory } from './support/disk.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

/** All that has been true, in order. */
interface Written {
  readonly first: DiskSetUp<string>;
  readonly bytes: Buffer;
  readonly truths: readonly string[];
}

/** A snapshot, deltas, a deletion, an invalidation. */
async function writeFileWithEverything(): Promise<Written> {
  const first = await setUpDisk<string>({ rows: [...'abcd'].map((key) => [key, `${key}0`] as const) });
  const { cache, inner, disk, machine } = first;
  const truths: string[] = [];
  const saved = async (): Promise<void> => {
    await expect.poll(() => disk().ageMs).toBe(0);
    truths.push(JSON.stringify([...cache.entries()].toSorted()));
    await machine.clock.advance(10);
  };
  await cache.start();
  await saved();
  inner.rows.set('a', 'a1');
  await cache.refresh();
  await saved();
  inner.rows.delete('b');
  inner.rows.set('e', 'e0');
  await cache.refresh();
  await saved();
  inner.behave('fail');
  await cache.invalidate('c');
  truths.push(JSON.stringify([...cache.entries()].toSorted()));
  await cache.stop();
  return { first, bytes: await readFile(first.path), truths };
}

/** What a cache makes of these bytes while its source is down. */
async function restored({ first }: Written, path: string): Promise<{ rows: string; warning: unknown }> {
  const { cache, inner, disk } = await setUpDisk({ path, machine: first.machine });
  inner.behave('fail');
  await cache.start();
  const rows = JSON.stringify([...cache.entries()].toSorted());
  const { warning } = disk();
  await cache.stop();
  return { rows, warning };
}

test('a file that was cut off anywhere is an older truth, or ignored', { timeout: 20_000 }, async () => {
  const written = await writeFileWithEverything();
  const path = join(await temporaryDirectory(), 'cut');
  let [older, ignored] = [0, 0];
  for (let length = 0; length < written.bytes.length; length += 1) {
    await writeFile(path, written.bytes.subarray(0, length), { mode: 0o600 });
    const { rows, warning } = await restored(written, path);
    if (warning === undefined) expect(written.truths).toContain(rows);
    else expect(rows).toBe('[]');
    if (warning === undefined) older += 1;
    else ignored += 1;
  }
  expect(older).toBeGreaterThan(100);
  expect(ignored).toBeGreaterThan(10);
});

test('a file with any byte changed is an older truth, or ignored; an invalidation is not lost', {
  timeout: 20_000,
}, async () => {
  const written = await writeFileWithEverything();
  const path = join(await temporaryDirectory(), 'flipped');
  for (let index = 0; index < written.bytes.length; index += 1) {
    const bytes = Buffer.from(written.bytes);
    bytes[index]! ^= index % 2 === 0 ? 0xff : 0x01;
    await writeFile(path, bytes, { mode: 0o600 });
    const { rows } = await restored(written, path);
    expect(['[]', written.truths.at(-1)], `byte ${index}`).toContain(rows);
  }
});

test('a damaged file keeps no cache from loading, and is replaced', async () => {
  const { first, bytes } = await writeFileWithEverything();
  bytes[100]! ^= 1;
  await writeFile(first.path, bytes);
  const second = await first.next();
  second.inner.behave('answer');
  await second.cache.start();
  expect(second.cache.size).toBe(4);
  const third = await second.next();
  third.inner.behave('fail');
  await third.cache.start();
  expect([third.cache.size, third.disk().warning]).toEqual([4, undefined]);
});

test('what is written behind an end that was cut off counts', async () => {
  const { first, bytes } = await writeFileWithEverything();
  await writeFile(first.path, bytes.subarray(0, -1));
  const second = await first.next();
  second.inner.behave('answer');
  await second.cache.start();
  second.inner.rows.set('f', 'f');
  await second.cache.refresh();
  expect(second.inner.count('fetchAll')).toBe(1);
  const third = await second.next();
  third.inner.behave('fail');
  await third.cache.start();
  expect(third.cache.get('f')).toBe('f');
  expect(third.disk().warning).toBeUndefined();
});

test('of two processes with one file the last rename wins, and what the other adds is not taken for its own', async () => {
  const first = await setUpDisk({ rows: [['a', 'a']] });
  await first.cache.start();
  await first.cache.stop();
  const ours = await readFile(first.path);
  // The other one goes on from the same snapshot, in a copy of the file.
  const path = join(await temporaryDirectory(), 'copy');
  await writeFile(path, ours, { mode: 0o600 });
  const other = await setUpDisk({ path, machine: first.machine, rows: [['a', 'a']] });
  await other.cache.start();
  other.inner.rows.set('a', 'theirs');
  await other.cache.refresh();
  await other.cache.stop();
  const theirs = (await readFile(path)).subarray(ours.length);
  const second = await first.next();
  await second.cache.start();
  second.inner.rows.set('a', 'ours');
  await second.cache.refresh();
  const length = async (): Promise<number> => (await stat(first.path)).size;
  // The confirmation at its start, and the delta.
  await expect.poll(length).toBeGreaterThan(ours.length + theirs.length / 2);
  await expect.poll(async () => (await readFile(first.path)).includes('ours')).toBe(true);
  await appendFile(first.path, theirs);
  second.inner.rows.set('b', 'ours');
  await second.cache.refresh();
  const third = await second.next();
  third.inner.behave('fail');
  await third.cache.start();
  expect([...third.cache.entries()].toSorted()).toEqual([
    ['a', 'ours'],
    ['b', 'ours'],
  ]);
});

test('a file of another format is ignored', async () => {
  const written = await writeFileWithEverything();
  const path = join(await temporaryDirectory(), 'later');
  const later = written.bytes.toString('latin1').replace('evercache disk 1\n', 'evercache disk 2\n');
  await writeFile(path, later, { encoding: 'latin1', mode: 0o600 });
  expect(await restored(written, path)).toEqual({ rows: '[]', warning: 'the file was ignored: it has another format' });
});

test('a file that others may write to is ignored', async () => {
  const { first, bytes } = await writeFileWithEverything();
  const path = join(await temporaryDirectory(), 'open');
  await writeFile(path, bytes);
  await chmod(path, 0o622);
  const { cache, inner, disk } = await setUpDisk({ path, machine: first.machine });
  inner.behave('fail');
  await cache.start();
  expect([cache.size, disk().warning]).toEqual([0, 'the file was ignored: others may write to it']);
});

test('what a killed process left half-written is cleared away, once it is old', async () => {
  const first = await setUpDisk({ rows: [['a', 'a']] });
  const [old, young] = [`${first.path}.000000000000.tmp`, `${first.path}.111111111111.tmp`];
  for (const path of [old, young]) await writeFile(path, '');
  await utimes(old, 1, 1);
  await first.cache.start();
  await first.cache.stop();
  await expect(stat(old)).rejects.toThrow('ENOENT');
  expect((await stat(young)).size).toBe(0);
  expect(dirname(old)).toBe(dirname(first.path));
});
