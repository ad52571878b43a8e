/** Puts together how a cache is doing, as of now. */
import type { ResolvedOptions } from './options.ts';
import type { Parts } from './parts.ts';
import { said } from './said.ts';
import type { Source } from './source.ts';
import type { CacheStatus } from './status.ts';

const QUARANTINE_SHOWN = 100;

export function statusOf<T>(
  name: string,
  { source, clock }: ResolvedOptions<T>,
  { health, held, watcher, store, refresher, breaker }: Parts<T>,
): CacheStatus {
  const { lastRefresh } = health;
  const { base, generation, live, quarantine } = store;
  const now = clock.now();
  const nextRefreshInMs = refresher.nextInMs;
  const heldStatus = held.status(now);
  const watching = watcher.stands;
  return {
    name,
    state: health.state,
    ageMs: base.confirmedAt === undefined ? undefined : now - base.confirmedAt,
    generation,
    size: live.size,
    breaker: breaker.state,
    quarantine: [...quarantine]
      .slice(0, QUARANTINE_SHOWN)
      .map(([key, message]) => ({ key, message, ageMs: store.ageOf(key, now) })),
    ...(lastRefresh && { lastRefresh }),
    ...(nextRefreshInMs !== undefined && { nextRefreshInMs }),
    ...(heldStatus && { held: heldStatus }),
    ...(watching !== undefined && { watching }),
    ...(source.status && { source: askSource(source) }),
  };
}

/** Who looks at the status wants to know what is wrong: it must not fail because of just that. */
function askSource(source: Source<unknown>): Record<string, unknown> {
  try {
    return source.status!();
  } catch (error) {
    return { error: said(error) };
  }
}
