/**
 * Reads a file of `onDisk`: first what it says and how far it can be trusted, then its rows.
 *
 *     rows, rows, commit A │ rows, commit B after A │ invalid │ rows, commit C after B │ rows, com…
 *     whole snapshot         delta                              delta                    cut off: dropped
 *
 * What was cut off is an older truth, with its older position. What was damaged is no truth at all: a key that was
 * invalidated might come back.
 */
import type { FileHandle } from 'node:fs/promises';
import {
  type Commit,
  commitOf,
  type FrameHead,
  HEAD_BYTES,
  isIntact,
  MAGIC,
  readCommit,
  readHead,
  readInvalid,
  readMeta,
  rowsOf,
} from './disk-frames.ts';
import type { Moment } from './disk-moment.ts';
import type { Cursor } from './source.ts';

/** Why a file cannot be used. */
export class UnusableFile extends Error {}

/** Of the first line: all but the number of the format. */
const FAMILY_BYTES = MAGIC.lastIndexOf(' ') + 1;

interface Place {
  readonly at: number;
  readonly head: FrameHead;
}

/** What a file says. */
export interface Contents {
  readonly version: unknown;
  /** The id of its last commit. */
  readonly id: string;
  readonly cursor: Cursor;
  readonly confirmed: Moment;
  readonly digest: string | undefined;
  readonly unknown: ReadonlySet<string>;
  /** So far it is whole. */
  readonly bytes: number;
  /** Of these, up to the end of the snapshot. */
  readonly wholeBytes: number;
  /** The frames with its rows; those of the snapshot come first. */
  readonly places: readonly Place[];
  readonly snapshotPlaces: number;
  /** Where the last word on a key is that a delta has spoken of, as an index into `places`; -1: it is deleted. */
  readonly last: ReadonlyMap<string, number>;
}

/** @throws UnusableFile */
export async function readContents(file: FileHandle): Promise<Contents> {
  const { size } = await file.stat();
  if (!(await startsAsOurs(file))) throw new UnusableFile('another program has written it; it is left alone');
  if (size < MAGIC.length) throw damaged();
  if (!(await readBytes(file, 0, MAGIC.length)).equals(MAGIC)) throw new UnusableFile('it has another format');
  const reading = new ContentsReading();
  let at = MAGIC.length;
  while (at + HEAD_BYTES <= size) {
    const head = readHead(await readBytes(file, at, HEAD_BYTES));
    if (head === undefined) throw damaged();
    const end = at + HEAD_BYTES + head.bytes;
    if (end > size) break;
    const payload = await readBytes(file, at + HEAD_BYTES, head.bytes);
    if (!isIntact(head, payload)) {
      // After a power failure the end may be there in length only; an invalidation was on disk before anybody went on.
      if (end === size && head.kind !== 'invalid') break;
      throw damaged();
    }
    reading.take({ at, head }, payload);
    at = end;
  }
  return reading.end();
}

/** Was it written by `onDisk`, in whatever format? A file that has just been created is nobody's. */
export async function startsAsOurs(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  const start = MAGIC.subarray(0, Math.min(size, FAMILY_BYTES));
  return (await readBytes(file, 0, start.length)).equals(start);
}

/** The rows that are true, each once: first those of the snapshot, in its order. Closes nothing. */
export async function* readRows(
  file: FileHandle,
  { places, snapshotPlaces, last, unknown }: Contents,
): AsyncGenerator<readonly [string, unknown]> {
  const spoken = new Set(last.values());
  for (const [index, { at, head }] of places.entries()) {
    const isSnapshot = index < snapshotPlaces;
    if (!isSnapshot && !spoken.has(index)) continue;
    const payload = await readBytes(file, at + HEAD_BYTES, head.bytes);
    if (!isIntact(head, payload)) throw damaged();
    for (const [key, row] of rowsOf(payload)) {
      if (unknown.has(key)) continue;
      const place = last.get(key);
      if (place === undefined ? isSnapshot : place === index) yield [key, row];
    }
  }
}

/** Puts together what the frames say, in their order. */
class ContentsReading {
  #version: unknown;
  #commit: Commit | undefined;
  #bytes = 0;
  #wholeBytes = 0;
  readonly #unknown = new Set<string>();
  readonly #places: Place[] = [];
  #snapshotPlaces = 0;
  readonly #last = new Map<string, number>();
  /** Frames of rows whose commit has not come yet, with the keys in them, by its id. */
  readonly #pending = new Map<string, { readonly place: Place; readonly payload: Buffer | undefined }[]>();

  take(place: Place, payload: Buffer): void {
    const { kind } = place.head;
    if (kind === 'meta') this.#version = readMeta(payload);
    else if (kind === 'rows') this.#takeRows(place, payload);
    else if (kind === 'commit') this.#takeCommit(readCommit(payload));
    else for (const key of readInvalid(payload)) this.#unknown.add(key);
    if (kind === 'commit' || kind === 'invalid') this.#bytes = place.at + HEAD_BYTES + place.head.bytes;
    if (kind === 'commit' && this.#wholeBytes === 0) this.#wholeBytes = this.#bytes;
  }

  end(): Contents {
    if (this.#commit === undefined) throw damaged();
    const { id, cursor, confirmed, digest } = this.#commit;
    return {
      version: this.#version,
      id,
      cursor,
      confirmed,
      digest,
      unknown: this.#unknown,
      bytes: this.#bytes,
      wholeBytes: this.#wholeBytes,
      places: this.#places,
      snapshotPlaces: this.#snapshotPlaces,
      last: this.#last,
    };
  }

  #takeRows(place: Place, payload: Buffer): void {
    const id = commitOf(payload);
    const pending = this.#pending.get(id) ?? [];
    // The rows of a snapshot may be many; of a delta the keys are looked at when its commit has come.
    pending.push({ place, payload: this.#commit === undefined ? undefined : payload });
    this.#pending.set(id, pending);
  }

  #takeCommit(commit: Commit): void {
    const rows = this.#pending.get(commit.id) ?? [];
    this.#pending.delete(commit.id);
    if (this.#commit === undefined) {
      if (commit.after !== undefined) throw damaged();
      this.#snapshotPlaces = rows.length;
      this.#unknown.clear();
    } else if (commit.after !== this.#commit.id) {
      // Another process wrote here too: it speaks of another state.
      return;
    }
    for (const { place, payload } of rows) {
      this.#places.push(place);
      if (payload === undefined) continue;
      for (const [key] of rowsOf(payload)) this.#spoke(key, this.#places.length - 1);
    }
    for (const key of commit.deletes) this.#spoke(key, -1);
    for (const key of commit.unknown) this.#unknown.add(key);
    this.#commit = commit;
  }

  #spoke(key: string, place: number): void {
    this.#last.set(key, place);
    this.#unknown.delete(key);
  }
}

function damaged(): UnusableFile {
  return new UnusableFile('it is damaged');
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) throw damaged();
    read += bytesRead;
  }
  return buffer;
}
