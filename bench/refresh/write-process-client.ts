/** Starts processes that write and talks to them. One that fails fails the bench, and none outlives it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askProcess } from '../ask-process.ts';
import type { WriteProcessSetup, WriteRequest, WriteResult } from './write-process.ts';

/** Writers in several processes, so that none of these is what limits them. */
export class Writers {
  readonly #children: readonly ChildProcess[];

  constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Resolves when all have done it. One request at a time. */
  async run(request: WriteRequest): Promise<WriteResult> {
    const results = (await Promise.all(
      this.#children.map((child) => askProcess(child, request, 'a writing process')),
    )) as WriteResult[];
    return results.reduce((a, b) => ({
      commits: a.commits + b.commits,
      cpuMs: a.cpuMs + b.cpuMs,
      known: [...a.known, ...b.known],
    }));
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.disconnect();
        await gone;
      }),
    );
  }
}

interface WritersOptions {
  readonly databaseUrl: string;
  readonly processes: number;
  readonly clientsPerProcess: number;
  /** Of the table. */
  readonly rows: number;
}

/** Resolves when all clients are connected; their names are 1, 2, 3, ... */
export async function startWriters(options: WritersOptions): Promise<Writers> {
  const { databaseUrl, processes, clientsPerProcess, rows } = options;
  const program = fileURLToPath(new URL('./write-process.ts', import.meta.url));
  const children = Array.from({ length: processes }, () => fork(program, { stdio: ['ignore', 2, 2, 'ipc'] }));
  await Promise.all(
    children.map((child, process) => {
      const names = Array.from({ length: clientsPerProcess }, (_, client) => process * clientsPerProcess + client + 1);
      return askProcess(child, { databaseUrl, names, rows } satisfies WriteProcessSetup, 'a writing process');
    }),
  );
  return new Writers(children);
}
