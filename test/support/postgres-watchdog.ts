/**
 * The one who cleans up after a private PostgreSQL: its standard input is a pipe held by the test process, so it wakes
 * when the test lets go and just as well when the test process is killed. Started by private-postgres.ts; the argument
 * is the server's directory.
 */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf, isRunning, signalTree } from './process-tree.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('expected the directory of the server');

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdin.on('error', () => {}).resume();
await new Promise((resolve) => process.stdin.once('close', resolve));

await stopServer(join(directory, 'data', 'postmaster.pid'));
rmSync(directory, { recursive: true, force: true, maxRetries: 5 });

async function stopServer(pidFile: string): Promise<void> {
  let lines: string[];
  try {
    lines = readFileSync(pidFile, 'utf8').split('\n');
  } catch {
    return;
  }
  const pid = Number(lines[0]);
  if (isRunning(pid)) {
    // Asked to quit, the server removes its shared memory; killed, it could not.
    signalTree(pid, 'SIGCONT');
    process.kill(pid, 'SIGQUIT');
    for (let waited = 0; waited < 2000 && isRunning(pid); waited += 20) await sleep(20);
    const children = childrenOf(pid);
    if (isRunning(pid)) signalTree(pid, 'SIGKILL');
    for (const child of children) if (isRunning(child)) signalTree(child, 'SIGKILL');
  }
  const segment = lines[6]?.trim().split(/\s+/)[1];
  if (segment !== undefined) await new Promise<void>((resolve) => execFile('ipcrm', ['-m', segment], () => resolve()));
}
