import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CACHE_ERROR_CODES, CacheError } from '../src/index.ts';

describe('CacheError', () => {
  test('has a row in the documentation for each of its codes, and no other', () => {
    const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
    const documented = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
    expect(documented).toEqual([...CACHE_ERROR_CODES]);
  });

  test('names the cache, and carries code, key and cause', () => {
    const cause = new Error('refused');
    const error = new CacheError({ code: 'source-failed', cache: 'tools', message: 'no luck', key: 'a', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'CacheError', code: 'source-failed', cache: 'tools', key: 'a', cause });
    expect(error.message).toBe('cache "tools": no luck');
    expect('cause' in new CacheError({ code: 'stopped', cache: 'tools', message: 'x' })).toBe(false);
  });

  test('is recognised across copies of this library, and nothing else is', () => {
    const error = new CacheError({ code: 'stopped', cache: 'tools', message: 'x' });
    const copy = Object.assign(new Error('x'), { name: 'CacheError', code: 'stopped', cache: 'tools' });
    expect([error, copy].map((each) => CacheError.isInstance(each))).toEqual([true, true]);
    const others = [
      undefined,
      null,
      'CacheError',
      {},
      { name: 'CacheError', code: 'x', cache: 'y' },
      new Error('CacheError'),
    ];
    expect(others.some((each) => CacheError.isInstance(each))).toBe(false);
  });
});
