/** The pages of docs/ that list something list all of it, and nothing else. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
