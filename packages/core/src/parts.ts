/** Puts the parts of a cache together: the only file that knows them all. */
import { AbsentLimit } from './absent-limit.ts';
import { type Breaker, breakerOf } from './breaker.ts';
import { Counters } from './counters.ts';
import type { CacheError } from './errors.ts';
import { Events } from './events.ts';
import { Fence } from './fence.ts';
import { Fetching } from './fetching.ts';
import { Health } from './health.ts';
import { Held } from './held.ts';
import { Kept } from './kept.ts';
import { KeyReader } from './key-reader.ts';
import { singleCallsAtATime } from './limited.ts';
import { Loader } from './loader.ts';
import type { ResolvedOptions } from './options.ts';
import { Refresher } from './refresher.ts';
import { EVERYTHING } from './round.ts';
import { Rounds } from './rounds.ts';
import { RowCheck } from './schema.ts';
import { SourceCalls } from './source-calls.ts';
import type { RefreshReport } from './status.ts';
import { Store } from './store.ts';
import { Watcher } from './watcher.ts';

export interface Parts<T> {
  readonly breaker: Breaker;
  readonly calls: SourceCalls;
  readonly counters: Counters;
  readonly events: Events;
  readonly fence: Fence;
  readonly fetching: Fetching<T>;
  readonly health: Health;
  readonly held: Held;
  readonly kept: Kept;
  readonly loader: Loader<T>;
  readonly refresher: Refresher;
  /** Serves what the source has kept from an earlier life. Was there anything? */
  readonly restore: () => Promise<boolean>;
  readonly store: Store<T>;
  readonly watcher: Watcher;
}

export function assemble<T>(options: ResolvedOptions<T>): Parts<T> {
  const { name, source, clock, ttl, staleIfError, negativeTtl, closedWorld } = options;
  const now = (): number => clock.now();
  const maxAge = ttl + staleIfError;
  const counters = new Counters();
  const events = new Events(name);
  const fence = new Fence();
  const held = new Held(options.guard);
  const breaker = breakerOf(source.breakerKey ?? source, clock);
  const rows = new RowCheck<T>(options.schema);
  const onError = (error: CacheError): void => events.emit('error', error);
  const onChanged = (): void => health.update();
  const store = new Store<T>({ ...options, held, counters, onBaseAged: onChanged, onReleased: onChanged });
  const health: Health = new Health(
    {
      isBroken: () => breaker.state !== 'closed',
      isAged: () => source.fetchAll !== undefined && store.base.phase !== 'fresh',
      keepsTrue: () => refresher.keepsTrue,
      isHeld: () => held.size > 0,
      serveStale: (servesStale) => {
        store.servesStale = servesStale;
      },
    },
    events,
  );
  const onOutage = (outage: boolean): void => health.noteOutage(outage);
  const calls = new SourceCalls({ cache: name, clock, breaker, fence, counters, onOutage, onError });
  const kept = new Kept(options, { calls, onError });
  const reader = new KeyReader<T>({ ...options, calls, fence, store, rows, events, now });
  const rounds = new Rounds<T>({ ...options, calls, fence, store, held, reader, rows, events, maxAge, now });
  const refresher: Refresher = new Refresher({
    clock,
    interval: options.refreshInterval,
    breakerRetryInMs: () => breaker.retryInMs,
    isWhole: (request) => rounds.isWhole(request),
    runRound: async (request) => {
      const report = await rounds.run(request);
      if (!report.dryRun) note(report);
      return report;
    },
  });
  const note = (report: RefreshReport): void => {
    counters.countRound(report.outcome);
    health.noteRound(report);
  };
  const restore = async (): Promise<boolean> => {
    const report = await rounds.restore();
    if (report !== undefined) note(report);
    return report !== undefined;
  };
  const watcher = new Watcher({
    ...options,
    breaker,
    calls,
    onError,
    nudge: (reason) => {
      // Nothing else would read again what is known to be absent.
      if (source.fetchAll === undefined) store.negatives.clear();
      refresher.ring(reason);
    },
  });
  const loader = new Loader<T>({
    reader,
    fence,
    counters,
    now,
    atATime: singleCallsAtATime(source),
    absentLimit: new AbsentLimit(options.maxAbsentPerSecond),
    isUnknown: (key) => store.staleValue(key) === undefined && !store.quarantine.has(key),
    rateLimited: (key) =>
      calls.error('rate-limited', 'too many keys that the source does not have; unknown keys have to wait', { key }),
    loadFromSnapshot: snapshotLoader({ calls, now, refresher, store }),
  });
  const fetching = new Fetching<T>({
    ...options,
    store,
    loader,
    calls,
    counters,
    maxAge,
    missingTtl: closedWorld ? Number.POSITIVE_INFINITY : reader.canRead ? 0 : negativeTtl,
    isStopped: () => health.lifecycle === 'stopped',
  });
  return {
    breaker,
    calls,
    counters,
    events,
    fence,
    fetching,
    health,
    held,
    kept,
    loader,
    refresher,
    restore,
    store,
    watcher,
  };
}

type SnapshotLoaderParts<T> = Pick<Parts<T>, 'calls' | 'refresher' | 'store'> & { readonly now: () => number };

/** Single keys of a source that can only be asked for everything. */
function snapshotLoader<T>({ calls, now, refresher, store }: SnapshotLoaderParts<T>) {
  const snapshot = (fresh: boolean): Promise<RefreshReport> =>
    (fresh ? undefined : refresher.joinWhole()) ?? refresher.refresh({ ...EVERYTHING, reason: 'fetch' });
  const findIn = async (report: Promise<RefreshReport>, key: string): Promise<T | undefined> => {
    const { error } = await report;
    if (error !== undefined) throw error;
    const problem = store.quarantine.get(key);
    if (problem !== undefined) throw calls.error('source-failed', `the row failed its schema: ${problem}`, { key });
    const value = store.live.get(key);
    if (value !== undefined) return value;
    if (store.missingFromBaseFor(key, now()) !== undefined) return undefined;
    // Unknown still: it was invalidated while the snapshot was on its way.
    return findIn(snapshot(false), key);
  };
  return (keys: readonly string[], fresh: boolean): Promise<T | undefined>[] => {
    const report = snapshot(fresh);
    return keys.map((key) => findIn(report, key));
  };
}
