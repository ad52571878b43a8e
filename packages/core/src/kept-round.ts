/** The first round of a life: what the source has kept from the last one, to be served until the source has answered. */
import { type Changes, isChange } from './changes.ts';
import { announce, type RoundParts, readingOf, without } from './round.ts';
import { readSnapshot, type StagedSnapshot } from './snapshot-reader.ts';
import type { FetchContext } from './source.ts';
import type { Sent } from './source-calls.ts';
import type { WholeOutcome } from './whole-round.ts';

interface Restored<T> {
  readonly staged: StagedSnapshot<T>;
  readonly unknown: Iterable<string>;
}

/** `undefined`: nothing was kept, it is too old to be served, or something newer is known by now. */
export function readKept<T>(parts: RoundParts<T>): Promise<WholeOutcome | undefined> {
  return parts.calls.run({
    reason: 'restore',
    timeout: parts.refreshTimeout,
    awaited: true,
    ofKept: true,
    request: (context) => request(parts, context),
    apply: (restored, sent) => restored && publish(parts, restored, sent),
  });
}

async function request<T>(parts: RoundParts<T>, context: FetchContext): Promise<Restored<T> | undefined> {
  const saved = await parts.source.restore!(context);
  if (saved === undefined) return undefined;
  const staged = await readSnapshot<T>(saved, readingOf(parts, context));
  return { staged, unknown: saved.unknown ?? [] };
}

function publish<T>(parts: RoundParts<T>, { staged, unknown }: Restored<T>, sent: Sent): WholeOutcome | undefined {
  const { fence, store, events, maxAge } = parts;
  const { entries, quarantined, cursor } = staged;
  const confirmedAt = sent.at - staged.ageMs;
  if (fence.isOvertaken(sent.ticket) || parts.now() - confirmedAt > maxAge) return undefined;
  // It was true before anything that was asked for in this life, so whatever came meanwhile is newer. For the same reason
  // it leaves no mark: a fetch under way may still be stored.
  const later = new Set([...fence.keysMarkedAfter(sent.ticket), ...unknown]);
  const changes: Changes = {
    added: without(staged.added, later),
    updated: [],
    removed: [],
    held: 0,
    unchanged: 0,
    quarantined: quarantined.size,
  };
  if (isChange(changes)) store.generation += 1;
  store.publish({ entries, confirmedAt, quarantined, later });
  staged.published();
  for (const [key, message] of quarantined) events.emit('quarantine', { key, message });
  announce(parts, changes);
  return { changes, cursor };
}
