/**
 * New, empty embedded PostgreSQLs. To make one takes seconds, so it is made once for each version of PGlite, kept among
 * the caches of node_modules, and copied.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const caches = fileURLToPath(new URL('../../node_modules/.cache/evercache/', import.meta.url));

const copies: string[] = [];

/** To be called when nobody uses a copy any more. */
export function removeCopies(): void {
  for (const copy of copies.splice(0)) rmSync(copy, { recursive: true, force: true });
}

/** For `new PGlite(directory)`; gone with the test file. */
export function embeddedDirectory(): string {
  return join(embeddedDataDir(), 'pglite');
}

/** The same for the chat server's `DATA_DIR`. */
export function embeddedDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'evercache-pglite-'));
  copies.push(dataDir);
  cpSync(template(), join(dataDir, 'pglite'), { recursive: true });
  return dataDir;
}

function template(): string {
  const entry = require.resolve('@electric-sql/pglite');
  const { version } = require(join(dirname(entry), '..', 'package.json')) as { version: string };
  const made = join(caches, `pglite-${version}`);
  if (existsSync(made)) return made;
  mkdirSync(caches, { recursive: true });
  const making = mkdtempSync(join(caches, 'making-'));
  const script = `const { PGlite } = require(process.argv[1]); const db = new PGlite(process.argv[2]);
    db.waitReady.then(() => db.close()).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });`;
  execFileSync(process.execPath, ['--eval', script, entry, making]);
  try {
    renameSync(making, made);
  } catch (error) {
    // Another test file was quicker.
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(made)) throw error;
  }
  return made;
}
