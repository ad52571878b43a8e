/** The pages of docs/ that list something list all of it, and nothing else. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CACHE_ERROR_CODES } from 'evercache';
import { expect, test } from 'vitest';

const page = (name: string): string => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8');

test('docs/errors.md lists every error code and no other', () => {
  const listed = [...page('errors.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
  expect(listed.toSorted()).toEqual([...CACHE_ERROR_CODES].sort());
});

test('docs/options.md lists every option with its default, and no other', () => {
  const source = readFileSync(new URL('../packages/core/src/options.ts', import.meta.url), 'utf8');
  const known = /const KNOWN_OPTIONS = \[([^\]]+)\]/.exec(source)![1]!;
  const options = [...known.matchAll(/'(\w+)'/g)].map(([, name]) => name);
  const listed = [...page('options.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual(options.toSorted());
});

test('every test and file that README.md points to is there', () => {
  const readme = page('../README.md');
  const tests = ['packages/core/test', 'packages/postgres/test', 'apps/chat-server/test', 'test'].flatMap((folder) =>
    readdirSync(new URL(`../${folder}`, import.meta.url)),
  );
  const named = [...readme.matchAll(/`([\w-]+\.test\.ts)`/g)].map(([, name]) => name!);
  expect(named.filter((name) => !tests.includes(name))).toEqual([]);
  const linked = [...readme.matchAll(/\]\((?!http)([^)#]+)/g)].map(([, path]) => path!);
  expect(linked.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([]);
});

test('the programs of README.md compile in a project that knows of Node and of no browser', () => {
  const programs = [...page('../README.md').matchAll(/^```ts\n(.*?)^```/gms)].map(([, program]) => program!);
  expect(programs).toHaveLength(2);
  const assumed = 'interface Flag { readonly on: boolean }\ndeclare const FLAGS_URL: string;\n';
  // Where the packages are found as in a project that has installed them.
  const cache = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(`${cache}/readme-`);
  try {
    writeFileSync(`${directory}/package.json`, '{ "type": "module" }');
    const config = { extends: '../../../tsconfig.base.json', compilerOptions: { noEmit: true }, files: ['readme.ts'] };
    writeFileSync(`${directory}/tsconfig.json`, JSON.stringify(config));
    writeFileSync(`${directory}/readme.ts`, assumed + programs.join('\n'));
    const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 60_000);
