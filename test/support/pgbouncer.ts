/**
 * pgbouncer in transaction pooling before a server, where the program is installed. It ends with the process that
 * started it, whatever becomes of that.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverOwner } from './postgres-binaries.ts';
import { freePort } from './private-postgres.ts';

export interface Pgbouncer {
  readonly url: string;
  /** Kills it, with all sessions, and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Debian keeps it where only root looks. */
const PROGRAM = ['pgbouncer', '/usr/sbin/pgbouncer'].find((name) => spawnSync(name, ['--version']).status === 0);

export function hasPgbouncer(): boolean {
  return PROGRAM !== undefined;
}

/** Before the database of that URL. */
export async function startPgbouncer(url: string): Promise<Pgbouncer> {
  const program = PROGRAM;
  if (program === undefined) throw new Error('pgbouncer is not installed');
  const port = await freePort();
  const through = new URL(url);
  through.port = String(port);
  let running = await start(program, configuration(new URL(url), port), port);
  return {
    url: through.href,
    async restart() {
      await end(running);
      running = await start(program, configuration(new URL(url), port), port);
    },
    stop: () => end(running),
  };
}

async function start(program: string, settings: string, port: number): Promise<ChildProcess> {
  const owner = serverOwner();
  const directory = mkdtempSync(join(tmpdir(), 'evercache-pgbouncer-'));
  const file = join(directory, 'pgbouncer.ini');
  writeFileSync(file, settings, { mode: 0o600 });
  if (owner !== undefined) for (const name of [directory, file]) chownSync(name, owner.uid, owner.gid);
  // The shell reads until whoever holds the other end lets go, or dies.
  const script = '"$0" -q "$1/pgbouncer.ini" & cat > /dev/null; kill -9 $!; wait $! 2> /dev/null; rm -rf "$1"';
  const running = spawn('/bin/sh', ['-c', script, program, directory], {
    ...owner,
    cwd: directory,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  running.unref();
  (running.stdin as unknown as { unref(): void }).unref();
  await answers(port, () => readFileSync(join(directory, 'log'), 'utf8'));
  return running;
}

/** Kills it, with all sessions; resolves when nothing is left of it. */
async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null) return;
  const gone = once(running, 'exit');
  running.ref();
  running.stdin?.end();
  await gone;
}

function configuration({ hostname, port, pathname, username, password }: URL, listenPort: number): string {
  const name = pathname.slice(1);
  return `[databases]
${name} = host=${hostname} port=${port} dbname=${name} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_login_retry = 0.2
query_wait_timeout = 5
ignore_startup_parameters = extra_float_digits,options
logfile = log
`;
}

async function answers(port: number, log: () => string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isThere) return;
    await sleep(20);
  }
  throw new Error(`pgbouncer did not start:\n${log()}`);
}
