/**
 * A copy of a running server's data, as a base backup makes it (PostgreSQL's programs for that are not among ours):
 * to start a standby from, or to go back to.
 */
import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { PrivatePostgres, PrivatePostgresOptions } from './private-postgres.ts';

const run = promisify(execFile);
/** Not part of a copy; WAL comes last, when the end of the copy is in it. */
const LEFT_OUT = ['postmaster.pid', 'postmaster.opts', 'pg_wal', 'standby.signal', 'recovery.signal'];

/**
 * Options of a server that begins as a copy of that one. `standby`: it follows it and serves reads. `recovery`: it ends
 * with what is in the copy, as a history of its own.
 */
export function copyOf(
  server: PrivatePostgres,
  recovery: 'standby' | 'recovery',
  settings: Readonly<Record<string, string>> = {},
): PrivatePostgresOptions {
  const { port, password } = server;
  return {
    password,
    settings: {
      ...settings,
      primary_conninfo: `host=127.0.0.1 port=${port} user=postgres password=${password} application_name=standby`,
      restore_command: 'false',
    },
    async fill(dataDirectory) {
      await copyData(server, dataDirectory);
      write(join(dataDirectory, `${recovery}.signal`), '', server.dataDirectory);
    },
  };
}

async function copyData(server: PrivatePostgres, target: string): Promise<void> {
  const source = server.dataDirectory;
  const client = new Client(server.url);
  await client.connect();
  try {
    const { rows: begun } = await client.query(`select pg_walfile_name(pg_backup_start('copy', true)) as segment`);
    mkdirSync(target, { mode: 0o700 });
    ownLike(target, source);
    for (const name of readdirSync(source)) if (!LEFT_OUT.includes(name)) await copy(join(source, name), target);
    const { rows: ended } = await client.query('select labelfile from pg_backup_stop(false)');
    write(join(target, 'backup_label'), ended[0].labelfile, source);
    await copyWal(join(source, 'pg_wal'), join(target, 'pg_wal'), begun[0].segment);
  } finally {
    await client.end();
  }
}

/** From that segment on, and what is known of earlier histories. */
async function copyWal(source: string, target: string, first: string): Promise<void> {
  mkdirSync(target, { mode: 0o700 });
  ownLike(target, source);
  const place = (segment: string): string => segment.slice(8);
  for (const name of readdirSync(source)) {
    const isNeeded = /^[0-9A-F]{24}$/.test(name) ? place(name) >= place(first) : name.endsWith('.history');
    if (isNeeded) await copy(join(source, name), target);
  }
}

/** A file that goes away while it is copied is one that recovery does not need. */
async function copy(from: string, into: string): Promise<void> {
  await run('cp', ['-R', '-p', from, into]).catch((error: { stderr?: string }) => {
    if (!/No such file/.test(error.stderr ?? '')) throw error;
  });
}

function write(file: string, text: string, ownedLike: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  ownLike(file, ownedLike);
}

function ownLike(file: string, example: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(example);
  chownSync(file, uid, gid);
}
