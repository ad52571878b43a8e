/** The model: for each key, what readers may no longer be told, and what they must be told. Small on purpose. */
import { type Call, confirmedAt, isBulk, isForRead, speaksOf, type Value } from './calls.ts';
import type { Row } from './table.ts';

export interface KeyKnowledge {
  /** Nothing requested up to this ticket may be read any more: it was invalidated then. */
  floor: number;
  /** The last commit at that time: what is read now was true after it. */
  floorCommit: number;
  /** The latest request whose answer was visible. */
  seen: number;
  /** The latest request whose answer a read was told, stored or not. */
  told: number;
  /** The latest single call that has landed. */
  single: number;
  /** The latest of them that a read has made and that was in time. */
  mark: number;
  /** The latest single call that brought a row which its schema refuses: the value from before it stays. */
  refused: number;
  /** What the latest one said that a read has made, if it was in time and good, and so is stored. */
  stored: { readonly ticket: number; readonly row: Row | undefined; readonly at: number } | undefined;
  /** What the bulk answers that are in force say; `undefined`: nothing. */
  expected: { readonly row: Row | undefined; readonly call: Call } | undefined;
  /** Its removal was accepted at this ticket: what was sent up to then was compared with what was there before. */
  accepted: number;
  /** Its removal was rejected, and it is neither back nor gone for another reason; it can be served until then. */
  keptUntil: number | undefined;
  /** When it was last seen in memory, unless it was invalidated since. */
  visibleAt: number | undefined;
  /** A read of it has begun when the source might still be asked for what it does not have. */
  isAllowed: boolean;
  /** Snapshots in a row that lacked it. */
  lacking: number;
  /** What was visible when it was last looked at. */
  visible: Value | undefined;
  /** It has been visible, and not been invalidated, since this step. */
  visibleSince: number;
  /** Tickets at the last fetch that wanted an answer of its own. */
  freshAt: number;
  /** When a read has wanted it last. */
  wantedAt: number;
  /** A read has wanted it that asks for several keys in turns, and it has not been asked for since. */
  waits: boolean;
  /** Values whose identity was judged. */
  derived: { readonly value: Value; readonly derived: object } | undefined;
}

export class Knowledge {
  readonly keys: ReadonlyMap<string, KeyKnowledge>;
  /** The bulk answer that readers see. */
  inForce: Call | undefined;
  /** Something has been loaded that a snapshot could lack. */
  isLoaded = false;
  /** The last bulk answer that has landed: it may be in force before its round has ended. */
  #bulk = 0;

  constructor(keys: readonly string[]) {
    this.keys = new Map(keys.map((key) => [key, nothing()]));
  }

  of(key: string): KeyKnowledge {
    return this.keys.get(key)!;
  }

  invalidate(key: string, tickets: number, commit: number, step: number): void {
    const known = this.of(key);
    known.floor = tickets;
    known.floorCommit = commit;
    known.expected = undefined;
    known.stored = undefined;
    known.lacking = 0;
    known.visibleSince = step;
    known.keptUntil = undefined;
    known.visibleAt = undefined;
  }

  /** What was held is gone because somebody says so. */
  accept(key: string, tickets: number): void {
    const known = this.of(key);
    known.accepted = tickets;
    known.expected = undefined;
    known.stored = undefined;
    known.keptUntil = undefined;
  }

  /** What is held is not to go, unless a single answer that was requested later has landed and is about to be stored. */
  reject(key: string, now: number): void {
    const known = this.of(key);
    if (known.single < this.#bulk) known.keptUntil = now;
  }

  /** An answer has landed in time. `isRefused`: a row that its schema refuses is not stored. */
  landed(call: Call, ttl: number, isRefused: (row: Row) => boolean): void {
    if (isBulk(call)) {
      this.#bulk = call.ticket;
      for (const [key, known] of this.keys) {
        if (speaksOf(call, key) && (known.stored?.ticket ?? 0) < call.ticket) known.stored = undefined;
      }
      return;
    }
    for (const key of call.keys!) {
      const known = this.of(key);
      known.single = Math.max(known.single, call.ticket);
      known.keptUntil = undefined;
      if (call.ticket > (known.expected?.call.ticket ?? 0)) known.expected = undefined;
      const row = call.rows.get(key);
      const isKept = row !== undefined && isRefused(row);
      // Also where a round made it: a good row that was requested before this one comes too late.
      if (isKept) known.refused = Math.max(known.refused, call.ticket);
      const later = Math.max(
        known.floor,
        known.accepted,
        known.mark,
        known.refused - 1,
        this.inForce?.ticket ?? 0,
        this.#bulk,
      );
      // An answer slower than the ttl goes to its caller, not into the store.
      const slow = row !== undefined && call.landedAt - confirmedAt(call) > ttl;
      if (!isForRead(call) || call.ticket <= later || slow) continue;
      known.mark = call.ticket;
      if (row !== undefined) known.lacking = 0;
      known.stored = isKept ? undefined : { ticket: call.ticket, row, at: row ? confirmedAt(call) : call.at };
    }
  }

  /** Readers see this bulk answer now. Returns false where they did already. */
  publish(call: Call): boolean {
    if (this.inForce !== undefined && this.inForce.ticket >= call.ticket) return false;
    // Stopped, or all invalidated, before this was said.
    if ([...this.keys.values()].every(({ floor }) => floor >= call.ticket)) return false;
    this.inForce = call;
    this.isLoaded = true;
    for (const [key, known] of this.keys) {
      if (!speaksOf(call, key)) continue;
      if (call.rows.has(key)) known.keptUntil = undefined;
      const later = Math.max(known.floor, known.accepted) >= call.ticket || known.single > call.ticket;
      if (call.method === 'fetchAll') known.lacking = call.rows.has(key) ? 0 : known.lacking + 1;
      known.expected = later ? undefined : { row: call.rows.get(key), call };
    }
    return true;
  }
}

function nothing(): KeyKnowledge {
  return {
    floor: 0,
    floorCommit: 0,
    seen: 0,
    told: 0,
    single: 0,
    mark: 0,
    refused: 0,
    stored: undefined,
    expected: undefined,
    accepted: 0,
    keptUntil: undefined,
    visibleAt: undefined,
    isAllowed: false,
    lacking: 0,
    visible: undefined,
    visibleSince: 0,
    freshAt: 0,
    wantedAt: -1,
    waits: false,
    derived: undefined,
  };
}
