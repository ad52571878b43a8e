/** A round that reads a whole snapshot. */
import type { Changes } from './changes.ts';
import { partsOf } from './parts-of-set.ts';
import { goLive, type RoundParts, type RoundRequest, readingOf, without } from './round.ts';
import { readSnapshot, type StagedSnapshot } from './snapshot-reader.ts';
import type { Cursor, FetchContext } from './source.ts';
import type { Sent } from './source-calls.ts';

/** What came of it, and where a delta would go on. */
export interface WholeOutcome {
  readonly changes: Changes;
  readonly cursor: Cursor;
}

/** `undefined`: everything was invalidated while it was being read, so it speaks of the time before. */
export function readWhole<T>(
  parts: RoundParts<T>,
  { reason, awaited, insist, dryRun }: RoundRequest,
): Promise<WholeOutcome | undefined> {
  return parts.calls.run({
    reason,
    timeout: parts.refreshTimeout,
    awaited,
    insist,
    request: (context, sent) => request(parts, context, sent),
    apply: (staged, sent) => {
      if (parts.fence.isOvertaken(sent.ticket)) return undefined;
      return { changes: publish(parts, staged, sent, dryRun), cursor: staged.cursor };
    },
  });
}

async function request<T>(parts: RoundParts<T>, context: FetchContext, sent: Sent): Promise<StagedSnapshot<T>> {
  const { source, calls, maxAge, now } = parts;
  const staged = await readSnapshot<T>(await source.fetchAll!(context), readingOf(parts, context));
  if (now() - sent.at + staged.ageMs <= maxAge) return staged;
  throw calls.error('invalid-snapshot', 'the snapshot is older than ttl + staleIfError: it can no longer be served');
}

function publish<T>(parts: RoundParts<T>, staged: StagedSnapshot<T>, sent: Sent, dryRun: boolean): Changes {
  const { source, fence, store, held, events, now } = parts;
  const { entries, quarantined } = staged;
  const later = new Set(fence.keysMarkedAfter(sent.ticket));
  const missing = without(staged.missing, later).filter((key) => store.live.has(key));
  const { size } = store.live;
  const emptied = entries.size + quarantined.size === 0;
  // What was fetched singly before the first load is nothing that a snapshot could have lost.
  const verdict =
    store.base.phase === 'none'
      ? { removed: missing, held: new Map<string, number>(), of: new Map<string, number>() }
      : held.judge(partsOf(source, { missing, added: staged.added, size, emptied }));
  const changes: Changes = {
    added: without(staged.added, later),
    updated: without(staged.updated, later),
    removed: verdict.removed,
    held: verdict.held.size,
    unchanged: staged.unchanged,
    quarantined: quarantined.size,
  };
  if (dryRun) return changes;
  goLive(parts, changes, { quarantined, sent }, () => {
    held.hold(verdict, now());
    store.publish({ entries, confirmedAt: sent.at - staged.ageMs, quarantined, later });
  });
  const status = held.status(now());
  if (status === undefined) {
    staged.published();
  } else {
    const { keys: removed, answers, needed, sampleKeys } = status;
    events.emit('held', { removed, of: size, answers, needed, sampleKeys });
  }
  return changes;
}
