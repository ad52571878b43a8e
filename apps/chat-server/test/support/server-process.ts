/** The server as a process of its own, and what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { embeddedDataDir } from '../../../../test/support/embedded-directory.ts';

const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url));

export class ServerProcess {
  /** The log. */
  stdout = '';
  /** What is said to people. */
  stderr = '';
  readonly child: ChildProcess;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;

  /** Starts with an embedded database in memory on a free port, unless `environment` says otherwise. */
  constructor(environment: Record<string, string> = {}, stdout: 'pipe' | number = 'pipe') {
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    this.child = spawn(process.execPath, ['--conditions=@evercache/source', SERVER], {
      env: { PATH, NODE_COMPILE_CACHE, PORT: '0', DATA_DIR: embeddedDataDir(), ...environment },
      stdio: ['ignore', stdout, 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(code ?? String(signal))));
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  /** Waits until it has said `pattern` on standard error; the first group of it, or all. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match[1] ?? match[0];
      const more = new Promise((resolve) => this.child.stderr?.once('data', resolve));
      if ((await Promise.race([more, this.ended.then(() => 'ended')])) === 'ended' && !pattern.test(this.stderr)) {
        throw new Error(
          `expected the server to say ${pattern}, but it ended and said:\n${this.stderr}\n${this.stdout}`,
        );
      }
    }
  }

  /** Lines of the log, parsed. */
  logLines(): Record<string, unknown>[] {
    return this.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }
}
