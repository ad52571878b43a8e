/** Versions of packages, as this repository's lock file has them. */
import { readFileSync } from 'node:fs';

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
