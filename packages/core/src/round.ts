/** What the rounds of each kind have in common: what is asked of them, and what they work with. */
import type { BasePhase } from './base-age.ts';
import type { Changes } from './changes.ts';
import type { Events } from './events.ts';
import type { Fence } from './fence.ts';
import type { Held } from './held.ts';
import type { KeyReader } from './key-reader.ts';
import type { Correction, Publication } from './publication.ts';
import type { RowCheck } from './schema.ts';
import type { FetchContext, Source } from './source.ts';
import type { SourceCalls } from './source-calls.ts';
import type { Reading } from './staging.ts';

/** The part of the store that a round needs. */
export interface RoundStore<T> {
  readonly live: ReadonlyMap<string, T>;
  readonly quarantine: ReadonlyMap<string, string>;
  readonly unsure: ReadonlySet<string>;
  readonly base: { readonly phase: BasePhase };
  readonly views: { readonly revision: number };
  generation: number;
  knownKeys(): string[];
  staleValue(key: string): T | undefined;
  prepare(value: T, held: T | undefined): T;
  publish(publication: Publication<T>): void;
  correct(correction: Correction<T>): void;
}

export interface RoundRequest {
  readonly reason: string;
  /** Everything: by what has changed or by a snapshot, or else what is held. */
  readonly whole: boolean;
  /** By a snapshot, even where changes could be followed. */
  readonly full: boolean;
  /** These keys, held or not. */
  readonly keys: readonly string[];
  /** Say what would change, and change nothing. */
  readonly dryRun: boolean;
  /** Somebody awaits the report. */
  readonly awaited: boolean;
  /** Ask even while the breaker waits. */
  readonly insist: boolean;
}

export interface RoundParts<T> {
  readonly source: Source<unknown>;
  readonly calls: SourceCalls;
  readonly fence: Fence;
  readonly store: RoundStore<T>;
  readonly held: Held;
  readonly reader: KeyReader<T>;
  readonly rows: RowCheck<T>;
  readonly events: Events;
  readonly refreshTimeout: number;
  /** An answer older than this cannot be shown. */
  readonly maxAge: number;
  readonly now: () => number;
}

export function readingOf<T>({ calls, store, rows }: RoundParts<T>, { signal }: FetchContext): Reading<T> {
  return {
    signal,
    check: (row) => rows.check(row),
    held: () => store.live,
    revision: () => store.views.revision,
    prepare: (value, held) => store.prepare(value, held),
    invalid: (message, details) => calls.error('invalid-snapshot', message, details),
  };
}

/** Tells what a bulk answer has changed, when it has. */
export function announce<T>(
  { store, events }: RoundParts<T>,
  { added, updated, removed }: Changes,
  quarantined: readonly (readonly [string, string])[],
): void {
  for (const [key, message] of quarantined) events.emit('quarantine', { key, message });
  if (added.length + updated.length + removed.length === 0) return;
  events.emit('change', { generation: store.generation, added, updated, removed });
}
