/** Who takes part. Adapters are loaded when they are needed: each in a process of its own, after time was replaced. */
import type { Contender } from './contender.ts';

const adapters: Readonly<Record<string, () => Promise<{ readonly contender: Contender }>>> = {
  evercache: () => import('./adapters/evercache.ts'),
  'lru-cache': () => import('./adapters/lru-cache.ts'),
  'lru-cache (stale)': async () => ({ contender: (await import('./adapters/lru-cache.ts')).staleContender }),
  cacheable: () => import('./adapters/cacheable.ts'),
  'cache-manager': () => import('./adapters/cache-manager.ts'),
  bentocache: () => import('./adapters/bentocache.ts'),
  'async-cache-dedupe': () => import('./adapters/async-cache-dedupe.ts'),
  'layered-loader': () => import('./adapters/layered-loader.ts'),
  'refreshed-cache': () => import('./adapters/refreshed-cache.ts'),
  // Not for the scoreboard: what the kit itself is tested with.
  'plain-map': () => import('./adapters/plain-map.ts'),
};

/** Those on the scoreboard, in the order of its columns. */
export const scoreboardNames: readonly string[] = Object.keys(adapters).filter((name) => name !== 'plain-map');

export async function loadContender(name: string): Promise<Contender> {
  const load = adapters[name];
  if (load === undefined) throw new TypeError(`expected one of ${Object.keys(adapters).join(', ')}, got "${name}"`);
  return (await load()).contender;
}
