/**
 * Rows on their way to the disk, while nobody knows yet what becomes of them. Nobody waits for the disk: what it has not
 * taken yet stays in memory, and where that becomes too much, the draft is given up.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MAGIC, metaFrame, newId, RowFrames } from './disk-frames.ts';

/** As long as it is smaller than this, an answer that changes nothing writes nothing. */
const MEMORY_BYTES = 4 * 1024 * 1024;
const MOST_BACKLOG_BYTES = 64 * 1024 * 1024;
const COPY_BYTES = 256 * 1024;

interface DraftOptions {
  /** Where the file is to be in the end. */
  readonly path: string;
  readonly version: string;
  /** By default a new one. */
  readonly id?: string;
}

export class Draft {
  readonly id: string;
  readonly #path: string;
  readonly #temporary: string;
  readonly #version: string;
  readonly #rows: RowFrames;
  #frames: Buffer[] = [];
  #frameBytes = 0;
  #backlog = 0;
  #handle: Promise<FileHandle> | undefined;
  #written: Promise<void> = Promise.resolve();
  #error: unknown;
  #digest: string | undefined;
  #isEmpty = true;
  #isOver = false;

  constructor({ path, version, id = newId() }: DraftOptions) {
    this.id = id;
    this.#path = path;
    this.#temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    this.#version = version;
    this.#rows = new RowFrames(id);
  }

  /** No row so far. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** What of it is in memory. */
  get memoryBytes(): number {
    return this.#frameBytes + this.#backlog;
  }

  /** Does not throw: what cannot be kept is told at the end. */
  add(key: string, row: unknown): void {
    if (this.#isOver || this.#error !== undefined) return;
    this.#isEmpty = false;
    try {
      this.#push(this.#rows.add(key, row));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** No more rows. */
  end(): void {
    if (this.#isOver || this.#error !== undefined) return;
    this.#push(this.#rows.end());
    this.#digest = this.#rows.digest();
  }

  /** Tells whether the same rows come in the same order; `undefined`: they are not at their end. */
  get digest(): string | undefined {
    return this.#digest;
  }

  /** Waits until nothing but `commit` is missing in a file of its own, and gives that. */
  async toFile(): Promise<FileHandle> {
    this.#flush();
    const handle = await this.#open();
    await this.written();
    await handle.datasync();
    return handle;
  }

  /** Where `toFile` has written. */
  get temporary(): string {
    return this.#temporary;
  }

  /** Waits until nothing is on its way any more. */
  async written(): Promise<void> {
    await this.#written;
    if (this.#error !== undefined) throw this.#error;
    if (this.#isOver) throw new Error('the draft was given up');
  }

  /** The rows, as frames, to the end of another file. Call it when they are `written`. */
  async appendTo(file: FileHandle, commit: Buffer): Promise<number> {
    const rest = Buffer.concat([...this.#frames, commit]);
    const spilled = this.#handle === undefined ? 0 : await copy(await this.#handle, this.#headBytes, file);
    await file.appendFile(rest);
    return spilled + rest.length;
  }

  /** Safe to call at any time, and again. */
  async discard(): Promise<void> {
    this.#isOver = true;
    this.#frames = [];
    // What is being written to it may still open it.
    await this.#written;
    if (this.#handle === undefined) return;
    const closing = this.#handle.then((handle) => handle.close());
    this.#handle = undefined;
    await closing.catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
  }

  /** The file has been renamed: it is no draft any more. */
  async kept(): Promise<void> {
    this.#isOver = true;
    const handle = await this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  get #headBytes(): number {
    return MAGIC.length + metaFrame(this.#version).length;
  }

  #push(frame: Buffer | undefined): void {
    if (frame === undefined) return;
    this.#frames.push(frame);
    this.#frameBytes += frame.length;
    if (this.#frameBytes >= MEMORY_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#frameBytes === 0) return;
    const bytes = Buffer.concat(this.#frames);
    this.#frames = [];
    this.#frameBytes = 0;
    this.#backlog += bytes.length;
    if (this.#backlog > MOST_BACKLOG_BYTES) {
      this.#fail(new Error('the disk is too slow'));
      return;
    }
    this.#written = this.#written.then(async () => {
      if (this.#isOver || this.#error !== undefined) return;
      try {
        await (await this.#open()).appendFile(bytes);
        this.#backlog -= bytes.length;
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #open(): Promise<FileHandle> {
    this.#handle ??= (async () => {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      // Exclusive: nobody can have put a link there for us to follow.
      const handle = await open(this.#temporary, 'ax+', 0o600);
      await handle.appendFile(Buffer.concat([MAGIC, metaFrame(this.#version)]));
      return handle;
    })();
    this.#handle.catch(() => {});
    return this.#handle;
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#frames = [];
  }
}

/** Everything from a position on. */
async function copy(from: FileHandle, position: number, to: FileHandle): Promise<number> {
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  let copied = 0;
  for (;;) {
    const { bytesRead } = await from.read(buffer, 0, buffer.length, position + copied);
    if (bytesRead === 0) return copied;
    await to.appendFile(buffer.subarray(0, bytesRead));
    copied += bytesRead;
  }
}
