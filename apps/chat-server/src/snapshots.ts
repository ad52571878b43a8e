/** The files in which caches are kept from one start to the next: see docs/disk.md, and docs/configuration.md for whom they concern. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk, type Source } from 'evercache';

const EXTENSION = '.snapshot';

/** Puts a file around the source of a cache. `form`: what decides how its rows look. */
export type Keep = (name: string, source: Source<unknown>, form: string) => Source<unknown>;

/** Keeps nothing. */
export const keepNothing: Keep = (_name, source) => source;

/** Keeps each cache in a file of this directory. A file of another database, or of rows of another form, is ignored. */
export function keepIn(directory: string, databaseUrl: string | undefined): Keep {
  return (name, source, form) => {
    const version = createHash('sha256')
      .update(JSON.stringify([identityOf(databaseUrl), form]))
      .digest('base64url');
    return onDisk(source, { path: join(directory, name + EXTENSION), version });
  };
}

/** Whether an earlier start has left any. */
export async function hasSnapshotsIn(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  return names.some((name) => name.endsWith(EXTENSION));
}

/** Which database it is, however one logs in there. */
function identityOf(databaseUrl: string | undefined): string {
  if (databaseUrl === undefined) return 'embedded';
  const { host, pathname } = new URL(databaseUrl);
  return host + pathname;
}
