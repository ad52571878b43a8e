/** How the cache is doing: one state out of what its parts say, told to listeners when it changes. */
import type { Events } from './events.ts';
import type { CacheState, RefreshReport } from './status.ts';

/** What the state is made of. */
export interface Signs {
  /** The breaker is not closed. */
  readonly isBroken: () => boolean;
  /** The set as a whole is older than its ttl, or was never loaded. */
  readonly isAged: () => boolean;
  /** A timer sees to it that what is held stays true. */
  readonly keepsTrue: () => boolean;
  readonly isHeld: () => boolean;
  /** Stale values may be served from now on, or no longer. */
  readonly serveStale: (servesStale: boolean) => void;
}

/** The ring of the last reports. */
const REPORTS_KEPT = 100;

export class Health {
  lifecycle: 'idle' | 'starting' | 'started' | 'stopped' = 'idle';
  readonly #signs: Signs;
  readonly #events: Events;
  #state: CacheState = 'idle';
  #outage = false;
  #lastRefresh: RefreshReport | undefined;
  readonly #reports: RefreshReport[] = [];

  constructor(signs: Signs, events: Events) {
    this.#signs = signs;
    this.#events = events;
  }

  get state(): CacheState {
    return this.#state;
  }

  /** Of this life. */
  get lastRefresh(): RefreshReport | undefined {
    return this.#lastRefresh;
  }

  /** Oldest first. */
  get reports(): readonly RefreshReport[] {
    return [...this.#reports];
  }

  /** What went wrong in an earlier life says nothing of the one that begins. */
  begin(): void {
    this.lifecycle = 'starting';
    this.#outage = false;
    this.#lastRefresh = undefined;
  }

  noteRound(report: RefreshReport): void {
    this.#lastRefresh = report;
    this.#reports.push(report);
    if (this.#reports.length > REPORTS_KEPT) this.#reports.shift();
    this.#events.emit('refresh', report);
    this.update();
  }

  /** The last source call failed for want of the source, or did not. */
  noteOutage(outage: boolean): void {
    if (outage === this.#outage) return;
    this.#outage = outage;
    this.update();
  }

  update(): void {
    const { isBroken, keepsTrue, serveStale } = this.#signs;
    const failing = this.#outage || isBroken();
    serveStale(failing || keepsTrue());
    const from = this.#state;
    const to = this.#stateNow(failing);
    if (from === to) return;
    this.#state = to;
    this.#events.emit('state', { from, to });
  }

  #stateNow(failing: boolean): CacheState {
    if (this.lifecycle !== 'started') return this.lifecycle;
    const { isAged, keepsTrue, isHeld } = this.#signs;
    // Without a timer there may never be another refresh to take it back.
    const refreshFails = this.#lastRefresh?.outcome === 'failed' && keepsTrue();
    if (failing || isAged() || refreshFails) return 'degraded';
    return isHeld() ? 'held' : 'live';
  }
}
