/** Real processes, really killed while they save. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { onDisk, TTLCacheService } from '../src/index.ts';
import { temporaryDirectory } from './support/disk.ts';

const WRITER = fileURLToPath(new URL('support/disk-writer.ts', import.meta.url));
const KILLS = 12;

interface Row {
  readonly n: number;
}

/** Lets a process save to `path`, and kills it. Answers the last generation before `k` was invalidated last. */
async function saveUntilKilled(path: string, ms: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=@evercache/source', WRITER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  await sleep(ms);
  child.kill('SIGKILL');
  await closed;
  return Number(said.trim().split('\n').at(-1)) || 0;
}

test('a process that is killed while it saves leaves a whole generation, and nothing that was invalidated', async () => {
  const path = join(await temporaryDirectory(), 'rows.snapshot');
  let last = 0;
  let saved = 0;
  let known = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const invalidated = await saveUntilKilled(path, 3 + 50 * kill);
    const source = onDisk<Row>({ fetchAll: () => Promise.reject(new Error('down')) }, { path });
    await using cache = new TTLCacheService<Row>({ name: 'read', source });
    await cache.start();
    const disk = cache.status().source?.disk as { warning?: string };
    expect(disk.warning).toBeUndefined();
    const k = cache.get('k');
    const numbers = new Set([...cache.entries()].filter(([key]) => key !== 'k').map(([, { n }]) => n));
    if (cache.size === 0) continue;
    saved += 1;
    expect(numbers.size).toBe(1);
    expect(cache.size).toBe(k === undefined ? 200 : 201);
    if (k !== undefined) expect(k.n).toBeGreaterThan(invalidated);
    if (k !== undefined && invalidated > 0) known += 1;
    last = Math.max(last, ...numbers);
  }
  expect(saved).toBeGreaterThan(KILLS / 2);
  expect(last).toBeGreaterThan(10);
  expect(known).toBeGreaterThan(0);
  console.info(`${saved} of ${KILLS} killed processes had saved, up to generation ${last}; k was known ${known} times`);
}, 60_000);
