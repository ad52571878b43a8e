/** By what a source goes on from a snapshot: the change log, or the rows themselves. */
import type { Cursor, Delta } from 'evercache';
import type { Lease } from '../database.ts';
import type { RawRow } from '../rows.ts';
import type { Reader } from './reader.ts';

export interface Trail {
  /** Can changes be followed? Also where nobody has looked yet. */
  readonly mayFollow: boolean;
  /** Where the snapshot of this transaction stands; `undefined`: there is nothing to go on from. */
  positionOf(lease: Lease, readers: readonly Reader[]): Promise<Start | undefined>;
  changesSince(since: Cursor, signal: AbortSignal): Promise<Delta<unknown> | 'resync'>;
  /** Keys that were read by themselves, outside of snapshots and deltas, and are there. */
  met?(keys: Iterable<string>): void;
  status(): Record<string, unknown>;
}

/** Where a snapshot stands. */
export interface Start {
  readonly cursor: Cursor;
  /** Is told of each key of the snapshot. */
  readonly keys?: { add(key: string): unknown };
}

/** Tells it of the keys of these rows. */
export function noteKeys(start: Start | undefined, rows: readonly RawRow[]): void {
  if (start?.keys === undefined) return;
  for (const [key] of rows) start.keys.add(key!);
}
