/** The arrows between packages, and inside core, as the built entry points really follow them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const root = new URL('..', import.meta.url);
const recorder = fileURLToPath(new URL('test/support/record-imports.mjs', root));

/** What each built entry point may load beside its own files and Node's modules. */
const ENTRY_POINTS: Record<string, readonly string[]> = {
  'packages/core/dist/src/index.js': [],
  'packages/core/dist/testing/index.js': [],
  'packages/postgres/dist/index.js': ['packages/core/dist/'],
};

/** Inside core: who may not know whom. The three in the middle never import one another. */
const MIDDLE = {
  loader: ['loader.js'],
  refresher: ['refresher.js', 'rounds.js'],
  store: ['store.js'],
};

function arrowsOf(entry: string): { from: string; to: string }[] {
  const env = { ...process.env };
  delete env.NODE_OPTIONS;
  const printed = execFileSync(process.execPath, [recorder, new URL(entry, root).href], { encoding: 'utf8', env });
  const relative = (url: string): string => url.replace(root.href, '');
  return (JSON.parse(printed) as [string, string][])
    .map(([from, to]) => ({ from: relative(from), to: relative(to) }))
    .filter(({ from }) => !from.startsWith('test/'));
}

beforeAll(() => {
  execFileSync(process.execPath, [fileURLToPath(new URL('scripts/build.ts', root))], { stdio: 'pipe' });
});

describe.each(Object.entries(ENTRY_POINTS))('%s', (entry, allowed) => {
  const own = entry.slice(0, entry.indexOf('dist/') + 'dist/'.length);

  test('loads nothing but its own files, Node modules and what its package may depend on', () => {
    const arrows = arrowsOf(entry);
    const strangers = arrows
      .map(({ to }) => to)
      .filter((to) => !to.startsWith('node:') && ![own, ...allowed].some((prefix) => to.startsWith(prefix)));
    expect(strangers).toEqual([]);
  });
});

test('inside core, loader, refresher and store never import one another', () => {
  const sources = new URL('packages/core/src/', root);
  const parts = Object.entries(MIDDLE);
  const crossings: string[] = [];
  // Types count too, so this one reads the sources.
  for (const name of readdirSync(sources)) {
    const group = parts.find(([, files]) => files.includes(name.replace(/\.ts$/, '.js')))?.[0];
    if (group === undefined) continue;
    for (const [, imported] of readFileSync(new URL(name, sources), 'utf8').matchAll(/ from '\.\/(.+)\.ts'/g)) {
      const other = parts.find(([, files]) => files.includes(`${imported}.js`))?.[0];
      if (other !== undefined && other !== group) crossings.push(`${name} → ${imported}.ts`);
    }
  }
  expect(crossings).toEqual([]);
});

test('inside core, only the service and its parts know those that come before them', () => {
  const arrows = arrowsOf('packages/core/dist/src/index.js');
  const importersOf = (file: string): string[] =>
    arrows.filter(({ to }) => to.endsWith(`/src/${file}`)).map(({ from }) => from.split('/').at(-1)!);
  expect(importersOf('parts.js')).toEqual(['service.js']);
  expect(importersOf('service.js')).toEqual(['index.js']);
});
