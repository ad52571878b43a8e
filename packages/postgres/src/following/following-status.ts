/** What a following source says about itself. */

import { xmaxOf, xminOf } from './cursor.ts';
import type { Glance } from './glance.ts';
import type { TierTexts } from './tiers.ts';

/** A transaction that is open for so long deserves a word: the window grows as long as it is. */
const PINNED_WORTH_A_WORD_MS = 60_000;

/** What the log held when it was last looked at. */
export interface LogSize {
  /** Beyond 100,000 what PostgreSQL estimates. */
  readonly rows: number;
  /** When an entry of the oldest transaction was written; null: there is none. */
  readonly oldest: string | null;
}

const NOTHING_READ = 'nothing has been read yet';

export class FollowingStatus {
  readonly #client: string;
  readonly #texts: TierTexts;
  #missing: string | undefined = NOTHING_READ;
  #tables: readonly string[] = [];
  #resyncs = 0;
  #lastResync: string | undefined;
  #log: LogSize | undefined;
  #upkeepError: string | undefined;
  #transactions = 0;
  #pinned: { readonly xmin: string; readonly xmax: string; readonly since: number } | undefined;
  #stalled = false;

  constructor(client: string, texts: TierTexts) {
    this.#client = client;
    this.#texts = texts;
  }

  get mayFollow(): boolean {
    return this.#missing === undefined || this.#missing === NOTHING_READ;
  }

  /** What the last look at the installation found. */
  found({ tables = [], missing }: { readonly tables?: readonly string[]; readonly missing?: string }): void {
    this.#tables = tables;
    this.#missing = missing;
  }

  /** Everything has to be read again. */
  resync(reason: string): 'resync' {
    this.#resyncs += 1;
    this.#lastResync = reason;
    return 'resync';
  }

  glanced({ snapshot, doneXids }: Pick<Glance, 'snapshot' | 'doneXids'>): void {
    const [xmin, xmax] = [xminOf(snapshot), xmaxOf(snapshot)];
    this.#transactions = doneXids.length;
    if (this.#pinned?.xmin !== xmin) this.#pinned = { xmin, xmax, since: performance.now() };
    // An idle database stands still as well, and nobody is to blame.
    this.#stalled = this.#pinned.xmax !== xmax;
  }

  lookedAfter(log: LogSize | undefined, error?: string): void {
    this.#log = log ?? this.#log;
    this.#upkeepError = error;
  }

  toJSON(): Record<string, unknown> {
    const pinnedForMs = this.#stalled && this.#pinned !== undefined ? performance.now() - this.#pinned.since : 0;
    const { tier, limits, limitsWithout, whilePinned } = this.#texts;
    return {
      ...(this.#missing === undefined
        ? { tier, following: this.#tables, client: this.#client, limits }
        : { tier: 'snapshot', reason: this.#missing, client: this.#client, limits: limitsWithout }),
      window: { transactions: this.#transactions, pinnedForMs: Math.round(pinnedForMs) },
      ...(pinnedForMs < PINNED_WORTH_A_WORD_MS ? {} : { warning: pinnedWarning(pinnedForMs, whilePinned) }),
      resyncs: { count: this.#resyncs, ...(this.#lastResync === undefined ? {} : { last: this.#lastResync }) },
      ...(this.#log === undefined ? {} : { log: this.#log }),
      ...(this.#upkeepError === undefined ? {} : { upkeepError: this.#upkeepError }),
    };
  }
}

function pinnedWarning(pinnedForMs: number, whilePinned: string): string {
  return `a transaction of this server has been open for at least ${Math.round(pinnedForMs / 1000)} s: until it ends, ${whilePinned}`;
}
