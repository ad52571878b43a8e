/** A dump by PostgreSQL's own programs, where they are installed and of the server's age. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Its major version; `undefined`: there is none. */
export function majorOfPgDump(): number | undefined {
  const { status, stdout } = spawnSync('pg_dump', ['--version'], { encoding: 'utf8' });
  return status === 0 ? Number(/ (\d+)/.exec(stdout)?.[1]) : undefined;
}

export async function dumpInto(from: string, to: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'evercache-dump-'));
  try {
    const file = join(directory, 'dump.sql');
    await run('pg_dump', ['--file', file, from]);
    await run('psql', ['--quiet', '--set=ON_ERROR_STOP=1', '--output=/dev/null', '--file', file, to]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
