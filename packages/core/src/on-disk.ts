/** A source that is kept in a file: after a restart its rows are served at once, as old as they are. */
import { DiskSource, type OnDiskOptions } from './disk-source.ts';
import type { Source } from './source.ts';

/**
 * Puts a file around a source. What a cache has published is saved there; at the next start it is served from there,
 * stale with its true age, and goes on by what has changed where the source can say that.
 *
 * ```ts
 * const source = onDisk(postgresSource({ client, select, key: 'id', follow }), { path: '/var/lib/app/tools.snapshot' });
 * const tools = new TTLCacheService({ name: 'tools', source });
 * ```
 *
 * Rows must be plain data; Date, Map, Set, BigInt, Buffer and typed arrays come back as what they were, instances of
 * classes do not.
 *
 * @throws TypeError where an option is wrong, the source has no `fetchAll`, or the path is in use in this process.
 */
export function onDisk<T>(source: Source<T>, options: OnDiskOptions): Source<T> {
  return new DiskSource<T>(source, options);
}
