/** What the rounds of each kind have in common: what is asked of them, and what they work with. */
import type { BasePhase } from './base-age.ts';
import { type Changes, isChange } from './changes.ts';
import type { Events } from './events.ts';
import type { Fence } from './fence.ts';
import type { Held } from './held.ts';
import type { KeyReader } from './key-reader.ts';
import type { Correction, Publication } from './publication.ts';
import type { RowCheck } from './schema.ts';
import type { FetchContext, Source } from './source.ts';
import type { Sent, SourceCalls } from './source-calls.ts';
import type { Reading } from './staging.ts';

/** The part of the store that a round needs. */
export interface RoundStore<T> {
  readonly live: ReadonlyMap<string, T>;
  readonly quarantine: ReadonlyMap<string, string>;
  readonly unsure: ReadonlySet<string>;
  readonly base: { readonly phase: BasePhase };
  readonly views: { readonly revision: number };
  /** How many keys are known to be absent. */
  readonly negatives: { readonly size: number };
  generation: number;
  knownKeys(): string[];
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

/** What every call for a round starts from: all of it, awaited by somebody who does not insist. */
export const EVERYTHING: Omit<RoundRequest, 'reason'> = {
  whole: true,
  full: false,
  keys: [],
  dryRun: false,
  awaited: true,
  insist: false,
};

/** The keys of a bulk answer of which nothing later is known. */
export function without(keys: readonly string[], later: ReadonlySet<string>): readonly string[] {
  return later.size === 0 ? keys : keys.filter((key) => !later.has(key));
}

/** A bulk answer goes live in one step; when it stands, listeners hear of it. */
export function goLive<T>(
  parts: RoundParts<T>,
  changes: Changes,
  { quarantined, sent }: { readonly quarantined: ReadonlyMap<string, string>; readonly sent: Sent },
  store: () => void,
): void {
  const known = parts.store.quarantine;
  const news = [...quarantined].filter(([key, problem]) => known.get(key) !== problem);
  if (isChange(changes)) parts.store.generation += 1;
  store();
  parts.fence.storedAll(sent.ticket);
  for (const [key, message] of news) parts.events.emit('quarantine', { key, message });
  announce(parts, changes);
}

/** Tells what has changed, if something has. */
export function announce<T>({ store, events }: RoundParts<T>, changes: Changes): void {
  if (!isChange(changes)) return;
  const { added, updated, removed } = changes;
  events.emit('change', { generation: store.generation, added, updated, removed });
}
