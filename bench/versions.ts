/** Versions of what takes part: of packages, as this repository's lock file has them, and of a database. */
import { readFileSync } from 'node:fs';
import pg from 'pg';

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly resolved?: string; readonly link?: boolean }>
  >;
}

export function versionsOf(names: readonly string[]): Record<string, string> {
  const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as LockFile;
  return Object.fromEntries(
    names.map((name) => {
      const installed = packages[`node_modules/${name}`];
      // A workspace is a link to its folder.
      const found = installed?.link ? packages[installed.resolved ?? ''] : installed;
      if (found?.version === undefined) throw new Error(`package-lock.json has no version of ${name}`);
      return [name, found.version];
    }),
  );
}

export async function versionOfPostgres(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  await client.end();
  return rows[0]!.server_version;
}
