/** A licence asks to go along with every copy, and npm packs the one that lies beside package.json. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

test.each(['core', 'postgres'])('the package in packages/%s carries the licence', (name) => {
  expect(read(`packages/${name}/LICENSE`)).toBe(read('LICENSE'));
});
