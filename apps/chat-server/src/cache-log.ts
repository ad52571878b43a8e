/**
 * Tells the log what becomes of a cache: by which tier it finds changes, what its source complains of, when it loses or
 * finds its source, and when rows are wrong. Each thing once, when it changes, and without keys: the admin routes list them.
 */
import type { AnyCache } from 'evercache';
import type { Log } from './log.ts';

/** What the sources of this server say of themselves, as far as the log tells it. */
interface SourceStatus {
  readonly tier?: string;
  readonly limits?: string;
  /** Why it is not the tier that was asked for. */
  readonly reason?: string;
  readonly upkeepError?: string;
  readonly push?: { readonly warning?: string };
  readonly disk?: { readonly warning?: string };
}

const COMPLAINTS: readonly {
  readonly of: (source: SourceStatus) => string | undefined;
  readonly begins: string;
  readonly ends: string;
}[] = [
  {
    of: ({ disk }) => disk?.warning,
    begins: 'the file of a cache is no help',
    ends: 'the file of a cache is of help again',
  },
  {
    of: ({ push }) => push?.warning,
    begins: 'push does not work: changes are seen by the refreshes alone',
    ends: 'push works again',
  },
  {
    of: ({ upkeepError }) => upkeepError,
    begins: 'the change log cannot be pruned',
    ends: 'the change log is pruned again',
  },
];

export function logCache(cache: AnyCache, log: Log): void {
  logState(cache, log);
  logTier(cache, log);
  logComplaints(cache, log);
  const { name } = cache;
  cache.on('held', ({ removed, of }) =>
    log.warn({ cache: name, removed, of }, 'most rows are suddenly gone: they are served until another refresh agrees'),
  );
  cache.on('quarantine', () => log.warn({ cache: name }, 'a row is wrong and was quarantined; see /admin/caches'));
}

function logState(cache: AnyCache, log: Log): void {
  const { name } = cache;
  // The state changes before the refresh that failed has reported, so failures are counted from its last report.
  let knownFailures = 0;
  cache.on('refresh', () => {
    knownFailures = cache.stats().sourceFailures;
  });
  cache.on('state', ({ from, to }) => {
    const failing = cache.status().lastRefresh?.outcome === 'failed' || cache.stats().sourceFailures > knownFailures;
    if (to === 'degraded' && failing) {
      log.warn({ cache: name }, 'cache degraded: its source fails, what is in memory is served');
    } else if (to === 'degraded') {
      log.info({ cache: name }, 'cache degraded: it was emptied on request, or is overdue, and is loaded again');
    } else if (from === 'degraded' && to === 'live') {
      log.info({ cache: name }, 'cache recovered');
    }
  });
}

function logTier(cache: AnyCache, log: Log): void {
  let told: string | undefined;
  const tell = (): void => {
    const { tier, reason, limits } = sourceOf(cache);
    const now = JSON.stringify([tier, reason]);
    if (tier === undefined || now === told) return;
    told = now;
    const { name } = cache;
    if (reason === undefined) log.info({ cache: name, tier, limits }, 'how a cache finds what has changed');
    else log.warn({ cache: name, tier, reason, limits }, 'changes cannot be followed: everything is read each time');
  };
  // Nothing speaks against the only tier there is; whether another one can run is for the database to say.
  if (sourceOf(cache).reason === undefined) tell();
  cache.on('refresh', ({ outcome, reason }) => {
    const isAnswered = outcome !== 'failed' && outcome !== 'stopped' && reason !== 'restore';
    if (isAnswered) tell();
  });
}

/** What a source complains of may begin between two refreshes, and is told by the next one. */
function logComplaints(cache: AnyCache, log: Log): void {
  for (const { of, begins, ends } of COMPLAINTS) {
    let told: string | undefined;
    cache.on('refresh', () => {
      const warning = of(sourceOf(cache));
      if (warning === told) return;
      told = warning;
      if (warning === undefined) log.info({ cache: cache.name }, ends);
      else log.warn({ cache: cache.name, warning }, begins);
    });
  }
}

function sourceOf(cache: AnyCache): SourceStatus {
  return cache.status().source ?? {};
}
