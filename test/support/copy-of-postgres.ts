/**
 * A copy of a running server's data, as a base backup makes it (PostgreSQL's programs for that are not among ours):
 * to start a standby from, or to go back to.
 */
import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { PrivatePostgres, PrivatePostgresData } from './private-postgres.ts';

const run = promisify(execFile);
/** Not part of a copy; WAL comes last, when the end of the copy is in it. */
const LEFT_OUT = ['postmaster.pid', 'postmaster.opts', 'pg_wal', 'standby.signal', 'recovery.signal'];

/** `recovery`: it follows the server and serves reads, or ends with what is in the copy, as a history of its own. */
export function copyOf(server: PrivatePostgres, recovery: 'standby' | 'recovery'): PrivatePostgresData {
  return {
    password: server.password,
    async fill(dataDirectory) {
      await copyData(server, dataDirectory);
      write(join(dataDirectory, `${recovery}.signal`), '', server.dataDirectory);
    },
  };
}

/** Settings of a server that begins as a copy of that one. */
export function settingsOfCopy(server: PrivatePostgres): Record<string, string> {
  return {
    primary_conninfo: `host=127.0.0.1 port=${server.port} user=postgres password=${server.password} application_name=standby`,
    restore_command: 'false',
  };
}

async function copyData(server: PrivatePostgres, target: string): Promise<void> {
  const source = server.dataDirectory;
  const client = new Client(server.url);
  await client.connect();
  try {
    await client.query(`select pg_backup_start('copy', true)`);
    mkdirSync(target, { mode: 0o700 });
    ownLike(target, source);
    for (const name of readdirSync(source)) if (!LEFT_OUT.includes(name)) await copy(join(source, name), target);
    const { rows } = await client.query('select labelfile from pg_backup_stop(false)');
    write(join(target, 'backup_label'), rows[0].labelfile, source);
    await copy(join(source, 'pg_wal'), target);
  } finally {
    await client.end();
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
