/** What tests of watches share. */
import type { CacheError } from '../../src/index.ts';
import type { Behaviour, SourceMethod } from '../../testing/index.ts';
import type { SetUp } from './set-up.ts';

export const WATCHED: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'watch'];
export const ROWS: readonly (readonly [string, string])[] = [
  ['a', 'a'],
  ['b', 'b'],
];

/** From now on the watch does this, and all else answers. */
export function behaveWatch({ source }: SetUp<string>, behaviour: Behaviour): void {
  source.behave((_, method) => (method === 'watch' ? behaviour : 'answer'));
}

/** The errors of the cache, as they come. */
export function errorsOf({ cache }: SetUp<string>): CacheError[] {
  const errors: CacheError[] = [];
  cache.on('error', (error) => errors.push(error));
  return errors;
}
