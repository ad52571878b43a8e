/**
 * A real PostgreSQL of its own for a test: on a free port of 127.0.0.1, with its data in a temporary directory, that
 * may be killed, frozen and restarted. Leaves nothing behind, whatever becomes of the test (see postgres-watchdog.ts).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createDatabase } from './create-database.ts';
import { type Owner, type PostgresBinaries, postgresBinaries, serverOwner } from './postgres-binaries.ts';
import { isRunning, signalTree } from './process-tree.ts';

/** Speed before safety: what is committed outlives a killed server, which tests do, but not a killed machine. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '64MB',
  dynamic_shared_memory_type: 'mmap',
};

export interface PrivatePostgresOptions {
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** @default a free one */
  readonly port?: number;
  /** Of the superuser. @default a new one */
  readonly password?: string;
  /** Makes the data directory, which is not there yet. @default a new, empty cluster */
  fill?(dataDirectory: string): Promise<void>;
}

/** Starts a server; throws with the reason where none can be had. */
export async function startPrivatePostgres({
  settings = {},
  port,
  password = randomBytes(12).toString('hex'),
  fill,
}: PrivatePostgresOptions = {}): Promise<PrivatePostgres> {
  const owner = serverOwner();
  const directory = mkdtempSync(join(tmpdir(), 'evercache-postgres-'));
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  const watchdog = spawn(
    process.execPath,
    [fileURLToPath(new URL('postgres-watchdog.ts', import.meta.url)), directory],
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
  try {
    const binaries = await postgresBinaries(directory, owner);
    if (fill === undefined) initialise({ binaries, directory, owner, password });
    else await fill(join(directory, 'data'));
    const server = new PrivatePostgres({
      binaries,
      directory,
      owner,
      password,
      watchdog,
      settings,
      port: port ?? (await freePort()),
    });
    await server.restart();
    return server;
  } catch (error) {
    await release(watchdog);
    throw error;
  }
}

interface PrivatePostgresParts {
  readonly binaries: PostgresBinaries;
  readonly directory: string;
  readonly owner: Owner | undefined;
  readonly password: string;
  readonly watchdog: ChildProcess;
  readonly settings: Readonly<Record<string, string>>;
  readonly port: number;
}

export class PrivatePostgres {
  readonly #parts: PrivatePostgresParts;
  #port: number;
  #pid = 0;

  constructor(parts: PrivatePostgresParts) {
    this.#parts = parts;
    this.#port = parts.port;
  }

  get port(): number {
    return this.#port;
  }

  /** URL of the database "postgres", as a superuser. */
  get url(): string {
    return `postgres://postgres:${this.password}@127.0.0.1:${this.port}/postgres`;
  }

  /** Of the superuser. */
  get password(): string {
    return this.#parts.password;
  }

  get dataDirectory(): string {
    return join(this.#parts.directory, 'data');
  }

  /** The postmaster. */
  get pid(): number {
    return this.#pid;
  }

  /** A new, empty database; its URL. */
  async createDatabase(): Promise<string> {
    return (await createDatabase(this.url)).url;
  }

  /** SIGKILL for the postmaster and every backend; resolves when they are gone. */
  async kill(): Promise<void> {
    signalTree(this.#pid, 'SIGKILL');
    // Until we have heard of it: before that its number is taken, and the next server would take it for alive.
    await until(() => !isKnown(this.#pid));
  }

  /** SIGSTOP for the postmaster and every backend: connections stay open, and nobody answers. */
  freeze(): void {
    signalTree(this.#pid, 'SIGSTOP');
  }

  /** Lets a frozen server run on. */
  thaw(): void {
    signalTree(this.#pid, 'SIGCONT');
  }

  /** Starts the server again on the same data, and on the same port unless told otherwise; kills it first if it still runs. */
  async restart(port: number = this.#port): Promise<void> {
    if (this.#pid !== 0 && isRunning(this.#pid)) await this.kill();
    this.#port = port;
    const { binaries, directory, owner, settings } = this.#parts;
    const logFile = join(directory, 'log');
    const log = openSync(logFile, 'a');
    const flags = Object.entries({ ...SETTINGS, ...settings, port: String(port) });
    const server = spawn(
      binaries.postgres,
      ['-D', join(directory, 'data'), ...flags.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...owner, cwd: directory, detached: true, stdio: ['ignore', log, log] },
    );
    server.unref();
    server.on('error', () => {});
    closeSync(log);
    this.#pid = server.pid ?? 0;
    await until(() => {
      if (server.exitCode !== null || server.pid === undefined) {
        throw new Error(`PostgreSQL did not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
      }
      return statusOf(directory, this.#pid) === 'ready';
    });
  }

  /** Stops the server, in whatever state it is, and removes its data. */
  async stop(): Promise<void> {
    await release(this.#parts.watchdog);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function initialise({
  binaries,
  directory,
  owner,
  password,
}: Omit<PrivatePostgresParts, 'watchdog' | 'settings' | 'port'>): void {
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (owner !== undefined) chownSync(passwordFile, owner.uid, owner.gid);
  const initdb = spawnSync(
    binaries.initdb,
    [
      '--no-sync',
      '--no-locale',
      '--encoding=UTF8',
      '--auth=password',
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '-D',
      'data',
    ],
    { ...owner, cwd: directory, encoding: 'utf8' },
  );
  if (initdb.status !== 0) throw new Error(`initdb failed: ${initdb.error?.message ?? initdb.stderr}`);
}

/** Whether it runs, or ended and its parent has not been told so far. */
function isKnown(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What the server writes into line 8 of its pid file: `starting`, `ready`, `stopping`. */
function statusOf(directory: string, pid: number): string | undefined {
  try {
    const lines = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n');
    return Number(lines[0]) === pid ? lines[7]?.trim() : undefined;
  } catch {
    return undefined;
  }
}

async function release(watchdog: ChildProcess): Promise<void> {
  if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
  const gone = new Promise((resolve) => watchdog.once('exit', resolve));
  watchdog.ref();
  watchdog.stdin?.end();
  await gone;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Looks every 10 ms: neither the kernel nor the server calls back. */
async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 10) {
    if (condition()) return;
    await sleep(10);
  }
  throw new Error('the private PostgreSQL did not get there in 30 s');
}
