/** Puts the parts of a cache together: the only file that knows them all. */
import { type Breaker, breakerOf } from './breaker.ts';
import { Counters } from './counters.ts';
import { Events } from './events.ts';
import { Fence } from './fence.ts';
import { Fetching } from './fetching.ts';
import { KeyReader } from './key-reader.ts';
import { Loader } from './loader.ts';
import type { ResolvedOptions } from './options.ts';
import { Refresher } from './refresher.ts';
import { Rounds } from './rounds.ts';
import { RowCheck } from './schema.ts';
import { SourceCalls } from './source-calls.ts';
import type { RefreshReport } from './status.ts';
import { Store } from './store.ts';

export interface Parts<T> {
  readonly breaker: Breaker;
  readonly calls: SourceCalls;
  readonly counters: Counters;
  readonly events: Events;
  readonly fence: Fence;
  readonly fetching: Fetching<T>;
  readonly loader: Loader<T>;
  readonly refresher: Refresher;
  readonly store: Store<T>;
}

/** What the parts tell the cache. */
interface Hooks {
  /** The last source call failed for want of the source, or did not. */
  readonly onOutage: (outage: boolean) => void;
  readonly onBaseAged: () => void;
  readonly onRound: (report: RefreshReport) => void;
  readonly isStopped: () => boolean;
}

export function assemble<T>(options: ResolvedOptions<T>, hooks: Hooks): Parts<T> {
  const { name, source, clock, ttl, staleIfError, negativeTtl } = options;
  const now = (): number => clock.now();
  const maxAge = ttl + staleIfError;
  const counters = new Counters();
  const events = new Events(name);
  const fence = new Fence();
  const breaker = breakerOf(source.breakerKey ?? source, clock);
  const rows = new RowCheck<T>(options.schema);
  const onEvict = (): void => {
    counters.evictions += 1;
  };
  const store = new Store<T>({ ...options, onEvict, onBaseAged: hooks.onBaseAged });
  const calls = new SourceCalls({
    cache: name,
    clock,
    breaker,
    fence,
    counters,
    onOutage: hooks.onOutage,
    onError: (error) => events.emit('error', error),
  });
  const reader = new KeyReader<T>({ ...options, calls, fence, store, rows, events, now });
  const rounds = new Rounds<T>({ ...options, calls, fence, store, reader, rows, events, maxAge, now });
  const refresher = new Refresher({
    clock,
    interval: options.refreshInterval,
    breakerRetryInMs: () => breaker.retryInMs,
    isWhole: (request) => rounds.isWhole(request),
    runRound: async (request) => {
      const report = await rounds.run(request);
      hooks.onRound(report);
      return report;
    },
  });

  const snapshot = (fresh: boolean): Promise<RefreshReport> =>
    (fresh ? undefined : refresher.wholeUnderWay) ??
    refresher.refresh({ reason: 'fetch', whole: true, keys: [], awaited: true, insist: false });
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
  const loadFromSnapshot = (keys: readonly string[], fresh: boolean): Promise<T | undefined>[] => {
    const report = snapshot(fresh);
    return keys.map((key) => findIn(report, key));
  };
  const loader = new Loader<T>({ reader, fence, counters, now, loadFromSnapshot });
  const fetching = new Fetching<T>({
    ...options,
    store,
    loader,
    calls,
    counters,
    maxAge,
    snapshotNegativeTtl: reader.canRead ? undefined : negativeTtl,
    isStopped: hooks.isStopped,
  });
  return { breaker, calls, counters, events, fence, fetching, loader, refresher, store };
}
