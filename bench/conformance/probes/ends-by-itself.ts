/** Does a process end that uses a contender and has nothing more to do? In real time. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const LIMIT_MS = 10_000;

export function endsByItself(contender: string): Promise<boolean> {
  const program = fileURLToPath(new URL('../real-time-process.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    // Node's own timer ends it: ours are not real here.
    const child = spawn(process.execPath, ['--conditions=@evercache/source', program, contender], {
      stdio: 'ignore',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === null && code !== 0) reject(new Error(`the process ended with code ${code}`));
      else resolve(signal === null);
    });
  });
}
