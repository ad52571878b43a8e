/**
 * A position in the changes, and whether what is read now goes on from there.
 *
 * A snapshot's `xmin` is the oldest transaction that was still running, so whatever was not visible then has an id of
 * at least that. `doneXids` are the ones of these that were visible already, as `id:number of log rows`: all rows of a
 * transaction become visible together, so the number is always the same, unless rows of another server with the same
 * id (restored from a dump) lie among them; then it is read again. Neither the largest id seen nor the snapshot's list
 * of running transactions would do: ids become visible in another order than they are given out, and on a hot standby
 * the list is empty.
 */
import { createHash } from 'node:crypto';
import type { Glance } from './glance.ts';
import type { Reader } from './reader.ts';

export interface Position {
  /** Which history of which database. */
  readonly incarnation: string;
  /** As `pg_current_snapshot()` wrote it: `xmin:xmax:running`. */
  readonly snapshot: string;
  readonly doneXids: readonly string[];
  /** What is read, and how the tables are followed. */
  readonly fingerprint: string;
}

const VERSION = 1;

function writeCursor({ incarnation, snapshot, doneXids, fingerprint }: Position): string {
  return JSON.stringify({ v: VERSION, incarnation, snapshot, doneXids, fingerprint });
}

/** `undefined`: it is none of ours. */
export function readCursor(cursor: unknown): Position | undefined {
  if (typeof cursor !== 'string') return undefined;
  let read: Partial<Position & { v: number }>;
  try {
    read = JSON.parse(cursor) ?? {};
  } catch {
    return undefined;
  }
  const { v, incarnation, snapshot, doneXids, fingerprint } = read;
  const isPosition =
    v === VERSION &&
    typeof incarnation === 'string' &&
    typeof fingerprint === 'string' &&
    typeof snapshot === 'string' &&
    /^\d+:\d+:[\d,]*$/.test(snapshot) &&
    Array.isArray(doneXids) &&
    doneXids.every((id) => typeof id === 'string' && /^\d+:\d+$/.test(id));
  return isPosition ? { incarnation, snapshot, doneXids, fingerprint } : undefined;
}

export function xminOf(snapshot: string): string {
  return snapshot.split(':')[0]!;
}

export function xmaxOf(snapshot: string): string {
  return snapshot.split(':')[1]!;
}

/** The position of what was seen. */
export function cursorOf(readers: readonly Reader[], glance: Glance): string {
  return writeCursor({ ...glance, fingerprint: fingerprintOf(readers, glance) });
}

/** Why what was seen now does not go on from that position; `undefined`: it does. */
export function breakBetween(since: Position, now: Glance, readers: readonly Reader[]): string | undefined {
  const broken = breakInHistory(since, now);
  if (broken !== undefined) return broken;
  if (now.marked) return 'a table was truncated, or changed by a large statement';
  if (fingerprintOf(readers, now) !== since.fingerprint) return CHANGED;
  if (!reachesBackTo(since.snapshot, now)) return 'the change log was pruned past the position';
  return undefined;
}

export const CHANGED = 'columns, tables, triggers or options have changed';

/** Whether another history answers. */
export function breakInHistory(since: Where, now: Where): string | undefined {
  if (now.incarnation !== since.incarnation) return 'another database, or another history of it, answers';
  if (BigInt(xmaxOf(now.snapshot)) < BigInt(xmaxOf(since.snapshot))) return 'the database has gone back in time';
  return undefined;
}

type Where = Pick<Position, 'incarnation' | 'snapshot'>;

/** Whether the log holds everything that a snapshot did not see. */
export function reachesBackTo(snapshot: string, { floor }: Glance): boolean {
  return BigInt(floor) <= BigInt(xminOf(snapshot));
}

/** The last one of each source: it is asked for at every delta, and hardly ever changes. */
const fingerprints = new WeakMap<readonly Reader[], { readonly setup: string; readonly fingerprint: string }>();

/** A hash, because parameters may be secrets and positions are kept on disk. */
export function fingerprintOf(readers: readonly Reader[], { setup }: Pick<Glance, 'setup'>): string {
  const last = fingerprints.get(readers);
  if (last?.setup === setup) return last.fingerprint;
  const read = readers.map(({ options, shape, follow, tag }) => {
    const { select, params, key, grouped, orderBy, presentWhen, map } = options;
    // Another program may go on from here: what another function has made of the rows does not go with what this one will.
    return [select, params, key, shape.keySql, grouped, orderBy, presentWhen, map?.toString(), follow, tag];
  });
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([read, setup]))
    .digest('base64');
  fingerprints.set(readers, { setup, fingerprint });
  return fingerprint;
}
