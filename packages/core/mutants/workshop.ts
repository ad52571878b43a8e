/**
 * A copy of core in a directory of its own, in which faults are built in, one at a time, and tests are run. The
 * repository itself is never touched.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Fault, type NamedTest, titlePattern, withFault } from './fault.ts';

const CORE = fileURLToPath(new URL('..', import.meta.url));
const REPOSITORY = join(CORE, '../..');
const VITEST = join(REPOSITORY, 'node_modules/vitest/vitest.mjs');
const COPIED = ['package.json', 'src', 'test', 'testing'];
/** Threads die with the process, even where they never come to an end. */
const CONFIG = `export default { test: { pool: 'threads', restoreMocks: true, testTimeout: 5_000 } };\n`;

/** How one test ended. */
export interface Ending {
  readonly file: string;
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'hung';
}

interface RunOptions {
  readonly timeoutMs: number;
  readonly toFirstFailure: boolean;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

export class Workshop {
  readonly #root: string;
  readonly #core: string;

  private constructor(root: string) {
    this.#root = root;
    this.#core = join(root, 'packages/core');
  }

  static async open(): Promise<Workshop> {
    const workshop = new Workshop(await mkdtemp(join(tmpdir(), 'evercache-mutants-')));
    const root = workshop.#root;
    await mkdir(workshop.#core, { recursive: true });
    await Promise.all([
      ...COPIED.map((name) => cp(join(CORE, name), join(workshop.#core, name), { recursive: true })),
      ...['node_modules', 'docs'].map((name) => symlink(join(REPOSITORY, name), join(root, name))),
      writeFile(join(root, 'vitest.config.mjs'), CONFIG),
    ]);
    return workshop;
  }

  close(): Promise<void> {
    return rm(this.#root, { recursive: true, force: true });
  }

  /** Runs `work` while the fault is in the source. */
  async withFault<R>(fault: Fault, work: () => Promise<R>): Promise<R> {
    const file = join(this.#core, 'src', fault.file);
    const sound = await readFile(file, 'utf8');
    await writeFile(file, withFault(sound, fault));
    try {
      return await work();
    } finally {
      await writeFile(file, sound);
    }
  }

  /** Runs these tests and no others, and tells how those that ran have ended; `undefined`: not within the time. */
  async run(tests: readonly NamedTest[], { timeoutMs, toFirstFailure }: RunOptions): Promise<Ending[] | undefined> {
    const output = join(this.#root, 'report.json');
    await rm(output, { force: true });
    const files = [...new Set(tests.map(({ file }) => `packages/core/test/${file}`))];
    const titles = [...new Set(tests.map(({ title }) => titlePattern(title)))].join('|');
    const report = ['--reporter=json', `--outputFile=${output}`, `--bail=${toFirstFailure ? 1 : 0}`];
    const ended = await this.#vitest([...files, '-t', `(?:${titles})$`, ...report], timeoutMs);
    if (!ended) return undefined;
    // No report: nothing could be run at all.
    const text = await readFile(output, 'utf8').catch(() => '{ "testResults": [] }');
    const { testResults } = JSON.parse(text) as Report;
    return testResults.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status === 'passed' || status === 'failed')
        .map(({ title, status, failureMessages }) => ({
          file: name.slice(name.lastIndexOf('/') + 1),
          title,
          outcome: status === 'passed' ? 'passed' : failureMessages.every(isTimeout) ? 'hung' : 'failed',
        })),
    );
  }

  /** Runs vitest to its end, however it ends; false: it had to be ended. */
  #vitest(args: readonly string[], timeoutMs: number): Promise<boolean> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
    const child = spawn(process.execPath, [VITEST, 'run', '--root', this.#root, ...args], {
      stdio: 'ignore',
      env,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    child.once('error', reject);
    child.once('exit', (_, signal) => resolve(signal === null));
    return promise;
  }
}

function isTimeout(message: string): boolean {
  return message.includes('Test timed out in');
}
