/**
 * What the file of `onDisk` is made of: a line that says whose it is, then frames.
 *
 *     kind 1 byte, 3 bytes 0 · length 4 bytes · CRC-32 of the payload · CRC-32 of these 12 bytes · payload
 *
 * The head has a checksum of its own, so that a frame that was cut off can be told from one that was damaged.
 */
import { createHash, randomBytes } from 'node:crypto';
import { DefaultDeserializer, DefaultSerializer, deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { Moment } from './disk-moment.ts';
import { isPlain } from './disk-plain.ts';
import type { Cursor } from './source.ts';

/** First in every file. The number is that of the format. */
export const MAGIC: Buffer = Buffer.from('evercache disk 1\n', 'latin1');
export const HEAD_BYTES = 16;

/**
 * - `meta`: which `version` of the rows
 * - `rows`: some rows of a commit that follows
 * - `commit`: these rows and deletions are true, together
 * - `invalid`: keys of which nothing is known from here on
 */
const KINDS = ['meta', 'rows', 'commit', 'invalid'] as const;
export type FrameKind = (typeof KINDS)[number];

/** So much is serialised, and later read, in one step: well below a millisecond. */
const FRAME_BYTES = 64 * 1024;
const MOST_ROWS = 4096;

const ID_BYTES = 12;

/** A name for a commit that no other has. */
export function newId(): string {
  return randomBytes((ID_BYTES * 3) / 4).toString('base64url');
}

/** Makes true what was written with the same id. */
export interface Commit {
  readonly id: string;
  /** The commit that this one corrects; `undefined`: it is a whole snapshot. */
  readonly after: string | undefined;
  readonly cursor: Cursor;
  readonly deletes: readonly string[];
  readonly confirmed: Moment;
  /** Of the rows and their order, where it is a whole snapshot or confirms one. */
  readonly digest: string | undefined;
  /** Keys that were invalidated later than it was asked for. */
  readonly unknown: readonly string[];
}

export interface FrameHead {
  readonly kind: FrameKind;
  readonly bytes: number;
  readonly checksum: number;
}

export function metaFrame(version: string): Buffer {
  return frame('meta', serialize(version));
}

/** A position that is an object with a life of its own says nothing outside of this process, so it is left out. */
export function commitFrame(commit: Commit): Buffer {
  return frame('commit', serialize(isPlain(commit.cursor) ? commit : { ...commit, cursor: undefined }));
}

export function invalidFrame(keys: readonly string[]): Buffer {
  return frame('invalid', serialize(keys));
}

export function readMeta(payload: Buffer): unknown {
  return deserialize(payload);
}

export function readCommit(payload: Buffer): Commit {
  return deserialize(payload) as Commit;
}

export function readInvalid(payload: Buffer): readonly string[] {
  return deserialize(payload) as readonly string[];
}

/** `undefined`: these bytes are no head. */
export function readHead(bytes: Buffer): FrameHead | undefined {
  const kind = KINDS[bytes[0]! - 1];
  if (kind === undefined || crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) return undefined;
  return { kind, bytes: bytes.readUInt32LE(4), checksum: bytes.readUInt32LE(8) };
}

export function isIntact({ checksum }: FrameHead, payload: Buffer): boolean {
  return crc32(payload) === checksum;
}

function frame(kind: FrameKind, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = KINDS.indexOf(kind) + 1;
  head.writeUInt32LE(payload.length, 4);
  head.writeUInt32LE(crc32(payload), 8);
  head.writeUInt32LE(crc32(head.subarray(0, 12)), 12);
  return Buffer.concat([head, payload]);
}

/** Rows into frames of about the same size, whatever the size of a row. */
export class RowFrames {
  readonly #id: Buffer;
  readonly #hash = createHash('sha1');
  #serializer: DefaultSerializer | undefined;
  #rows = 0;
  #rowsPerFrame = 16;

  constructor(id: string) {
    this.#id = Buffer.from(id, 'latin1');
  }

  /** Of the rows that are in frames. Call it once, when there are no more. */
  digest(): string {
    return this.#hash.digest('base64');
  }

  /**
   * A frame, if it is full.
   * @throws where the row cannot be kept as it is.
   */
  add(key: string, row: unknown): Buffer | undefined {
    if (!isPlain(row)) {
      throw new TypeError('expected rows of plain data, got one that would come back as something else');
    }
    if (this.#serializer === undefined) {
      this.#serializer = new DefaultSerializer();
      this.#serializer.writeHeader();
    }
    this.#serializer.writeValue(key);
    try {
      this.#serializer.writeValue(row);
    } catch {
      // It says what it could not clone: a value.
      throw new TypeError('expected rows of plain data, got one that cannot be cloned');
    }
    this.#rows += 1;
    return this.#rows < this.#rowsPerFrame ? undefined : this.end();
  }

  /** The last frame; `undefined`: there are no rows left. */
  end(): Buffer | undefined {
    if (this.#serializer === undefined) return undefined;
    this.#serializer.writeValue(null);
    const rows = this.#serializer.releaseBuffer();
    this.#hash.update(rows);
    const bytesPerRow = rows.length / this.#rows;
    this.#rowsPerFrame = Math.min(MOST_ROWS, Math.max(1, Math.round(FRAME_BYTES / bytesPerRow)));
    this.#serializer = undefined;
    this.#rows = 0;
    return frame('rows', Buffer.concat([this.#id, rows]));
  }
}

/** The id of the commit that the rows of a frame belong to. */
export function commitOf(payload: Buffer): string {
  return payload.toString('latin1', 0, ID_BYTES);
}

export function* rowsOf(payload: Buffer): Generator<readonly [string, unknown]> {
  const rows = new DefaultDeserializer(payload.subarray(ID_BYTES));
  rows.readHeader();
  for (let key = rows.readValue(); key !== null; key = rows.readValue()) yield [key, rows.readValue()];
}
