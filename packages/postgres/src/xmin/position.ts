/**
 * A position of which the keys that were there are known: of a row that is gone, nothing else tells.
 *
 * The keys are one set, shared by the positions that follow one another, each with what differs from the one before. It is
 * brought up to date when somebody goes on from the later one; the earlier one is worth nothing from then on. So an answer
 * that was lost, or thrown away, changes nothing: it is asked for again from where it was.
 */
import type { Position } from '../following/cursor.ts';
import { Slice } from '../slice.ts';

/** How many keys there are, and the exclusive or of their hashes, as the database makes these. */
export interface Total {
  readonly count: number;
  readonly hash: string;
}

/** Between two positions. */
export interface KeyChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

interface SharedKeys {
  readonly keys: Set<string>;
  /** The position at which these are the keys, once `ready` has resolved. */
  at: symbol;
  ready: Promise<void>;
}

type Where = Position & {
  readonly total: Total;
  /** What was met until then is settled. */
  readonly met: number;
};

interface Origin {
  readonly shared: SharedKeys;
  /** The position that `changes` begin at. */
  readonly before: symbol;
  readonly changes: KeyChanges;
}

const NONE: KeyChanges = { added: [], removed: [] };

export class ScanPosition implements Position {
  readonly incarnation: string;
  readonly snapshot: string;
  readonly doneXids: readonly string[];
  readonly fingerprint: string;
  readonly total: Total;
  readonly met: number;
  readonly #shared: SharedKeys;
  readonly #name = Symbol();
  readonly #before: symbol;
  #changes: KeyChanges;

  private constructor(where: Where, { shared, before, changes }: Origin) {
    this.incarnation = where.incarnation;
    this.snapshot = where.snapshot;
    this.doneXids = where.doneXids;
    this.fingerprint = where.fingerprint;
    this.total = where.total;
    this.met = where.met;
    this.#shared = shared;
    this.#before = before;
    this.#changes = changes;
  }

  /** Of a snapshot; its keys are added as they are read. */
  static first(where: Where): { readonly position: ScanPosition; readonly keys: Set<string> } {
    const keys = new Set<string>();
    const before = Symbol();
    const shared = { keys, at: before, ready: Promise.resolve() };
    return { position: new ScanPosition(where, { shared, before, changes: NONE }), keys };
  }

  /** The keys that were there; `undefined`: somebody has gone on from a later position. */
  async keys(): Promise<ReadonlySet<string> | undefined> {
    const shared = this.#shared;
    if (shared.at !== this.#name) {
      if (shared.at !== this.#before) return undefined;
      shared.at = this.#name;
      shared.ready = this.#bringUpToDate(shared.keys);
    }
    await shared.ready;
    return shared.keys;
  }

  next(where: Where, changes: KeyChanges): ScanPosition {
    return new ScanPosition(where, { shared: this.#shared, before: this.#name, changes });
  }

  async #bringUpToDate(keys: Set<string>): Promise<void> {
    const slice = new Slice();
    const { added, removed } = this.#changes;
    this.#changes = NONE;
    for (const key of removed) {
      keys.delete(key);
      if (slice.isOver()) await slice.next();
    }
    for (const key of added) {
      keys.add(key);
      if (slice.isOver()) await slice.next();
    }
  }

  /** It says nothing outside of this process: the keys are here. */
  toJSON(): null {
    return null;
  }
}
