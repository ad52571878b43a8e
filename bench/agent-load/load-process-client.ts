/** Starts load processes and talks to them. A process that fails fails the bench, and none outlives it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askProcess } from '../ask-process.ts';
import type { LoadProcessSetup, LoadRequest, LoadResult } from './load-process.ts';

export class LoadProcess {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the process has done it. One request at a time. */
  async run(request: LoadRequest): Promise<LoadResult> {
    return (await askProcess(this.#child, request, 'a load process')) as LoadResult;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
  }
}

/** Starts a process whose time passes so many times as fast; resolves when it is ready to load. */
export async function startLoadProcess(setup: LoadProcessSetup, speedOfTime = 1): Promise<LoadProcess> {
  const program = fileURLToPath(new URL('./load-process.ts', import.meta.url));
  const fastTime = new URL('./fast-time.ts', import.meta.url).href;
  const child = fork(program, {
    stdio: ['ignore', 2, 2, 'ipc'], // standard output belongs to the results
    ...(speedOfTime !== 1 && {
      execArgv: [...process.execArgv, '--import', fastTime],
      env: { ...process.env, SPEED_OF_TIME: `${speedOfTime}` },
    }),
  });
  await askProcess(child, setup, 'a load process');
  return new LoadProcess(child);
}
