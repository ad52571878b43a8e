/** Starts a server process and asks it how much processor time it has used. None outlives the bench. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askProcess } from '../ask-process.ts';
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
  const address = (await askProcess(child, setup, 'a server process')) as string;
  return {
    address,
    usedCpu: async () => (await askProcess(child, 'cpu', 'a server process')) as number,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await gone;
    },
  };
}
