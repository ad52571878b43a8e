/** A round that reads only what has changed since a position. */
import type { Changes } from './changes.ts';
import { readDelta, type StagedDelta } from './delta-reader.ts';
import { partsOf } from './parts-of-set.ts';
import { goLive, type RoundParts, type RoundRequest, readingOf, without } from './round.ts';
import type { Cursor, FetchContext } from './source.ts';
import type { Sent } from './source-calls.ts';

/** `resync`: the chain is broken. `snapshot`: the delta cannot be used, so everything has to be read. */
export type DeltaOutcome = { readonly changes: Changes; readonly cursor: Cursor } | 'resync' | 'snapshot';

export function readChanges<T>(
  parts: RoundParts<T>,
  since: Cursor,
  { reason, awaited, insist, dryRun }: RoundRequest,
): Promise<DeltaOutcome> {
  return parts.calls.run<StagedDelta<T> | 'resync', DeltaOutcome>({
    reason,
    timeout: parts.refreshTimeout,
    awaited,
    insist,
    request: (context, sent) => request(parts, since, context, sent),
    apply: (staged, sent) => {
      if (staged === 'resync') return staged;
      // What it would have corrected is not there any more: invalidated, or gone by its age.
      if (parts.fence.isOvertaken(sent.ticket) || !canBeCorrected(parts)) return 'snapshot';
      return correct(parts, staged, sent, dryRun);
    },
  });
}

/** Is there a set that a delta could correct? */
export function canBeCorrected<T>({ store: { base } }: RoundParts<T>): boolean {
  return base.phase === 'fresh' || base.phase === 'stale';
}

async function request<T>(
  parts: RoundParts<T>,
  since: Cursor,
  context: FetchContext,
  sent: Sent,
): Promise<StagedDelta<T> | 'resync'> {
  const { source, calls, maxAge, now } = parts;
  const staged = await readDelta<T>(await source.fetchChanges!(since, context), readingOf(parts, context));
  if (staged === 'resync' || now() - sent.at + staged.ageMs <= maxAge) return staged;
  throw calls.error('invalid-snapshot', 'the delta is older than ttl + staleIfError: it confirms nothing');
}

function correct<T>(parts: RoundParts<T>, staged: StagedDelta<T>, sent: Sent, dryRun: boolean): DeltaOutcome {
  const { source, fence, store, held } = parts;
  const { upserts, deletes, quarantined, cursor } = staged;
  const later = new Set(fence.keysMarkedAfter(sent.ticket));
  const removed = without(deletes, later).filter((key) => store.live.has(key));
  const { size } = store.live;
  const emptied = size + staged.added.length === removed.length;
  // A whole snapshot will say whether it is true, and the guard will judge that.
  const parted = partsOf(source, { missing: removed, added: staged.added, size, emptied });
  if (parted.some((part) => held.isCatastrophe(part.missing.length, part.size, part.emptied))) return 'snapshot';
  const changes: Changes = {
    added: without(staged.added, later),
    updated: without(staged.updated, later),
    removed,
    held: 0,
    unchanged: staged.unchanged,
    quarantined: quarantined.size,
  };
  if (dryRun) return { changes, cursor };
  goLive(parts, changes, { quarantined, sent }, () =>
    store.correct({ upserts, deletes, confirmedAt: sent.at - staged.ageMs, quarantined, later }),
  );
  staged.published();
  return { changes, cursor };
}
