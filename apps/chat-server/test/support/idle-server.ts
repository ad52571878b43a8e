/** A server with nothing to do, in a process of its own: how long it takes to answer is what the machine adds by itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

const PROGRAM = `
  const server = require('node:http').createServer((_, answer) => answer.end('idle'));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

/** Its address. It ends with the test. */
export async function startIdleServer(): Promise<string> {
  const child = spawn(process.execPath, ['--eval', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return `http://127.0.0.1:${String(port).trim()}`;
}
