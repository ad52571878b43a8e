/** Starts a server process and asks it how much processor time it has used. None outlives the bench. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServerSetup } from './server-process.ts';

export interface Server {
  readonly address: string;
  /** Processor time so far, in microseconds, of all its threads. */
  usedCpu(): Promise<number>;
  stop(): Promise<void>;
}

/** Resolves when it listens. */
export async function startServer(setup: ServerSetup): Promise<Server> {
  const program = fileURLToPath(new URL('./server-process.ts', import.meta.url));
  const child = fork(program, { stdio: ['ignore', 'ignore', 2, 'ipc'] });
  const address = (await ask(child, setup)) as string;
  return {
    address,
    usedCpu: async () => (await ask(child, 'cpu')) as number,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await gone;
    },
  };
}

function ask(child: ChildProcess, message: object | string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (code: number | null): void => reject(new Error(`a server process ended with code ${code}`));
    child.once('exit', failed);
    child.once('message', (answer) => {
      child.off('exit', failed);
      resolve(answer);
    });
    child.send(message);
  });
}
