/**
 * The one file of `onDisk`, and all that is done to it. Small steps are done one after the other; whatever is large is
 * written elsewhere first, so that an invalidation never waits for it.
 */
import { constants, type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Draft } from './disk-draft.ts';
import { type Commit, commitFrame, invalidFrame } from './disk-frames.ts';
import { type Contents, readContents, readRows, startsAsOurs, UnusableFile } from './disk-reading.ts';

/** Deltas may take as much as the snapshot, and this much more, before the file is written anew. */
const COMPACT_BYTES = 1024 * 1024;
/** No draft takes so long: whoever wrote it was killed. */
const ABANDONED_MS = 3_600_000;

interface State {
  /** The id of the last commit. */
  readonly id: string;
  readonly bytes: number;
  readonly wholeBytes: number;
}

/** What is known when a commit is written, and not before. */
export type Unknown = () => readonly string[];

/** The path leads to somebody else's file. */
export class ForeignFile extends Error {}

/** What was to be added does not go with what the file says: something in between is missing. */
export class Gap extends Error {}

/** Everything was invalidated while it was on its way to the disk. */
export class Overtaken extends Error {}

export class Journal {
  readonly path: string;
  readonly #version: string;
  #steps: Promise<unknown> = Promise.resolve();
  /** `undefined`: there is no file, or none that may be continued. */
  #state: State | undefined;

  constructor(path: string, version: string) {
    this.path = path;
    this.#version = version;
  }

  get bytes(): number | undefined {
    return this.#state?.bytes;
  }

  /** The id of the commit that the file ends with. */
  get id(): string | undefined {
    return this.#state?.id;
  }

  draft(id?: string): Draft {
    return new Draft({ path: this.path, version: this.#version, ...(id !== undefined && { id }) });
  }

  /**
   * Opens the file; whoever gets it closes it. `undefined`: there is none.
   * @throws UnusableFile
   */
  load(): Promise<{ readonly file: FileHandle; readonly contents: Contents } | undefined> {
    return this.#step(async () => {
      this.#state = undefined;
      await this.#clearAway();
      const file = await open(this.path, constants.O_RDWR).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (file === undefined) return undefined;
      try {
        await assertOurs(file);
        const contents = await readContents(file);
        const { version, id, bytes, wholeBytes } = contents;
        if (version !== this.#version) throw new UnusableFile('its rows are of another version');
        // Nothing may be written behind what was cut off.
        await file.truncate(bytes);
        this.#state = { id, bytes, wholeBytes };
        return { file, contents };
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  /** Puts a whole snapshot in the place of the file. `unknown` is asked when nothing comes in between any more. */
  async replace(draft: Draft, commit: Omit<Commit, 'unknown'>, unknown: Unknown): Promise<void> {
    const file = await draft.toFile();
    await this.#step(async () => {
      if (await isForeign(this.path)) throw new ForeignFile('another program’s file is there; it is left alone');
      await file.appendFile(commitFrame({ ...commit, unknown: unknown() }));
      await file.datasync();
      const { size } = await file.stat();
      await rename(draft.temporary, this.path);
      await draft.kept();
      this.#state = { id: commit.id, bytes: size, wholeBytes: size };
      await syncDirectory(this.path);
    });
  }

  /** Adds a delta. */
  async append(draft: Draft, commit: Omit<Commit, 'unknown'>, unknown: Unknown): Promise<void> {
    await draft.written();
    await this.#step(async () => {
      if (this.#state?.id !== commit.after) throw new Gap('the file does not end where the delta begins');
      await this.#atEnd(commit.id, (file) => draft.appendTo(file, commitFrame({ ...commit, unknown: unknown() })));
    });
    await draft.discard();
  }

  /**
   * Writes down that nothing is known of these keys; where that cannot be written, the file goes.
   * @throws where the file can neither be written nor removed: a restart would serve them again.
   */
  invalidate(keys: readonly string[]): Promise<void> {
    return this.#step(async () => {
      const frame = invalidFrame(keys);
      const write = async (file: FileHandle): Promise<number> => {
        await file.appendFile(frame);
        return frame.length;
      };
      const isWritten =
        this.#state !== undefined &&
        (await this.#atEnd(this.#state.id, write).then(
          () => true,
          () => false,
        ));
      if (!isWritten) await this.#remove();
    });
  }

  /** @throws where it cannot be removed. */
  remove(): Promise<void> {
    return this.#step(() => this.#remove());
  }

  /** Writes the file anew if its deltas have become larger than its snapshot. */
  async compact(unknown: Unknown): Promise<void> {
    const opened = await this.#step(async () => {
      const state = this.#state;
      if (state === undefined || state.bytes <= 2 * state.wholeBytes + COMPACT_BYTES) return undefined;
      return { id: state.id, file: await open(this.path, constants.O_RDONLY) };
    });
    if (opened === undefined) return;
    const { id, file } = opened;
    const draft = this.draft(id);
    try {
      const contents = await readContents(file);
      if (contents.id !== id) return;
      for await (const [key, row] of readRows(file, contents)) draft.add(key, row);
      draft.end();
      const { cursor, confirmed } = contents;
      const commit = { id, after: undefined, cursor, deletes: [], confirmed, digest: draft.digest };
      await this.replace(draft, commit, () => {
        if (this.#state?.id !== id) throw new Overtaken();
        return [...new Set([...contents.unknown, ...unknown()])];
      });
    } finally {
      await draft.discard();
      await file.close();
    }
  }

  /** When everything that was begun is done. */
  async idle(): Promise<void> {
    await this.#steps;
  }

  /** `write` answers how many bytes it has added. */
  async #atEnd(id: string, write: (file: FileHandle) => Promise<number>): Promise<void> {
    const state = this.#state;
    if (state === undefined) throw new Error('there is no file to continue');
    // Until it is done nobody knows how the file ends.
    this.#state = undefined;
    const file = await open(this.path, constants.O_WRONLY | constants.O_APPEND);
    try {
      const written = await write(file);
      await file.datasync();
      this.#state = { ...state, id, bytes: state.bytes + written };
    } finally {
      await file.close();
    }
  }

  async #remove(): Promise<void> {
    this.#state = undefined;
    if (await isForeign(this.path)) return;
    await rm(this.path, { force: true });
    await syncDirectory(this.path);
  }

  /** Drafts of processes that were killed. */
  async #clearAway(): Promise<void> {
    const directory = dirname(this.path);
    const names = await readdir(directory).catch(() => []);
    const drafts = names.filter((name) => name.startsWith(`${basename(this.path)}.`) && name.endsWith('.tmp'));
    for (const name of drafts) {
      const path = join(directory, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { force: true }).catch(() => {});
    }
  }

  #step<R>(step: () => Promise<R>): Promise<R> {
    const result = this.#steps.then(step);
    this.#steps = result.catch(() => {});
    return result;
  }
}

/** Whoever may write the file may put rows into the cache. */
async function assertOurs(file: FileHandle): Promise<void> {
  if (process.getuid === undefined) return;
  const { uid, mode } = await file.stat();
  if (uid !== process.getuid()) throw new UnusableFile('it belongs to another user');
  if ((mode & 0o022) !== 0) throw new UnusableFile('others may write to it');
}

/** A path that was given by mistake must not cost somebody a file. */
async function isForeign(path: string): Promise<boolean> {
  const file = await open(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  try {
    return file !== undefined && !(await startsAsOurs(file));
  } finally {
    await file?.close();
  }
}

/** What was renamed or removed stays so after a power failure. Not every system can. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), constants.O_RDONLY).catch(() => undefined);
  await directory?.sync().catch(() => {});
  await directory?.close();
}
