import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../src/database.ts';
import { lockDirectory } from '../src/directory-lock.ts';

describe('lockDirectory', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'evercache-lock-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('lets one in at a time, and the next one after that', async () => {
    const unlock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(/in use by another process/);
    await unlock();
    await (await lockDirectory(directory))();
  });

  it('is not kept by a process that was killed', async () => {
    const module = JSON.stringify(new URL('../src/directory-lock.ts', import.meta.url).href);
    const code = `await (await import(${module})).lockDirectory(process.argv[1]); console.log('locked'); setInterval(() => {}, 1000)`;
    const other = spawn(process.execPath, ['--input-type=module', '--eval', code, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(other, 'exit');
    try {
      await once(other.stdout, 'data');
      await expect(lockDirectory(directory)).rejects.toThrow(/in use/);
    } finally {
      other.kill('SIGKILL');
      await ended;
    }
    await (await lockDirectory(directory))();
  });

  it('works where the path is longer than a socket may have', async () => {
    const deep = join(directory, 'x'.repeat(120));
    const unlock = await lockDirectory(deep);
    await expect(lockDirectory(deep)).rejects.toThrow(/in use/);
    await unlock();
  });
});

describe('an embedded database in a folder', () => {
  it('keeps its data, and is opened once at a time', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'evercache-data-'));
    const first = await openDatabase({ dataDir });
    await first.query('create table kept (n integer)');
    await expect(openDatabase({ dataDir })).rejects.toThrow(/in use/);
    await first.close();
    const second = await openDatabase({ dataDir });
    expect(await second.query('select n from kept')).toEqual([]);
    await second.close();
    await rm(dataDir, { recursive: true });
  });
});
