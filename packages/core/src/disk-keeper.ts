/**
 * What is on disk, in terms of what the cache holds: which answer was saved last, and which keys were invalidated since.
 *
 * Saving is done behind the cache's back, one commit after the other. `#head` runs ahead of it: it is what the file will
 * say when all that was begun is done, or `undefined` where it will not say what the cache holds.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Draft } from './disk-draft.ts';
import type { Commit } from './disk-frames.ts';
import { ForeignFile, Gap, Journal, Overtaken, type Unknown } from './disk-journal.ts';
import { before, type Moment, msBetween } from './disk-moment.ts';
import { type Contents, readRows } from './disk-reading.ts';
import { said } from './said.ts';
import type { Cursor, Saved, Snapshot } from './source.ts';

/** After a failure to write, no snapshot is asked for on behalf of the file for so long; twice as long after each more. */
const RETRY_MS = 600_000;
const LONGEST_RETRY_MS = 86_400_000;
/** More than this may not wait for the disk. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
/** A draft takes some memory even if there is hardly a row in it. */
const BYTES_PER_COMMIT = 4_096;

interface KeeperOptions {
  readonly path: string;
  readonly version: string;
  readonly now: () => Moment;
}

/** The request behind a draft. */
interface Request {
  /** Orders it among the invalidations. */
  readonly order: number;
  readonly sent: Moment;
}

interface Head {
  readonly id: string;
  readonly cursor: Cursor;
  /** Of the rows, where they are just those of a snapshot. */
  readonly digest: string | undefined;
}

interface PublishedDelta extends Pick<Snapshot<unknown>, 'cursor' | 'ageMs'> {
  readonly since: Cursor;
  readonly deletes: ReadonlySet<string>;
  /** Of the keys of `unknownAt`, those that it does not speak of. */
  readonly unknown: ReadonlySet<string>;
}

export class DiskKeeper {
  readonly #now: () => Moment;
  readonly #journal: Journal;
  readonly #requests = new WeakMap<Draft, Request>();
  #order = 0;
  /** Nothing that was requested before this is true any more. */
  #allInvalidated = 0;
  /** Keys that are unknown as far as the file goes, and when they became so. */
  readonly #unknown = new Map<string, number>();
  #commits: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #head: Head | undefined;
  /** Something has been published in this life. */
  #isFollowed = false;
  /** The draft of the answer that is being read, or was read last. */
  #draft: Draft | undefined;
  #confirmed: Moment | undefined;
  #failedAt: Moment | undefined;
  #failures = 0;
  /** While it is being read. */
  #file: FileHandle | undefined;
  /** Something about the rows themselves: it would fail again. */
  #cannotSave = false;
  #warning: string | undefined;

  constructor({ path, version, now }: KeeperOptions) {
    this.#now = now;
    this.#journal = new Journal(path, version);
  }

  status(): Record<string, unknown> {
    const ageMs = this.#confirmed && msBetween(this.#confirmed, this.#now());
    return {
      path: this.#journal.path,
      ...(this.#journal.bytes !== undefined && { bytes: this.#journal.bytes }),
      ...(ageMs !== undefined && { ageMs }),
      ...(this.#warning !== undefined && { warning: this.#warning }),
    };
  }

  /** What the file holds, to be read once. Anything wrong with it is a warning. */
  async restore(): Promise<Saved<unknown> | undefined> {
    this.#head = undefined;
    this.#isFollowed = false;
    this.#unknown.clear();
    this.#warning = undefined;
    this.#cannotSave = false;
    this.#failures = 0;
    try {
      const loaded = await this.#journal.load();
      if (loaded === undefined) return undefined;
      const { file, contents } = loaded;
      const { confirmed, cursor, id, digest } = contents;
      const ageMs = msBetween(confirmed, this.#now());
      if (ageMs === undefined) {
        await file.close();
        this.#warning = 'the file was ignored: by the clock it comes from the future, so nobody knows its age';
        return undefined;
      }
      this.#order += 1;
      for (const key of contents.unknown) this.#unknown.set(key, this.#order);
      this.#confirmed = confirmed;
      this.#head = { id, cursor, digest };
      this.#isFollowed = true;
      this.#file = file;
      return { entries: this.#rowsOf(file, contents), cursor, ageMs, unknown: [...contents.unknown] };
    } catch (error) {
      this.#warning = `the file was ignored: ${reasonOf(error)}`;
      return undefined;
    }
  }

  /** For the rows of an answer that is about to be requested. */
  begin(signal: AbortSignal): Draft {
    void this.#draft?.discard();
    const draft = this.#journal.draft();
    this.#draft = draft;
    this.#order += 1;
    this.#requests.set(draft, { order: this.#order, sent: this.#now() });
    // Past its deadline, or stopped: nobody will say what became of it.
    signal.addEventListener('abort', () => void (this.#draft === draft && draft.discard()), { once: true });
    if (this.#cannotSave) void draft.discard();
    return draft;
  }

  /** Keys of which the file knows nothing, although an answer requested as late as this one could tell. */
  unknownAt(draft: Draft): Set<string> {
    const { order } = this.#requests.get(draft)!;
    return new Set([...this.#unknown].filter(([, at]) => at < order).map(([key]) => key));
  }

  /** Would a delta from there leave the file behind? Says so only if a whole snapshot is likely to help. */
  needsWhole(since: Cursor): boolean {
    if (!this.#isFollowed || this.#cannotSave || (this.#head !== undefined && this.#head.cursor === since))
      return false;
    if (this.#failedAt === undefined || this.#failures === 0) return true;
    const pause = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (this.#failures - 1));
    return (msBetween(this.#failedAt, this.#now()) ?? 0) >= pause;
  }

  /** The cache shows what is in this draft. */
  publishWhole(draft: Draft, { cursor, ageMs = 0 }: Snapshot<unknown>): void {
    this.#isFollowed = true;
    const { digest } = draft;
    const confirmed = this.#confirmedAt(draft, ageMs);
    const head = this.#head;
    if (head?.digest === undefined || head.digest !== digest || this.#unknown.size > 0) {
      const commit = { id: draft.id, after: undefined, cursor, deletes: [], confirmed, digest };
      this.#save(draft, commit, (later) => this.#journal.replace(draft, commit, later));
      return;
    }
    // The very same rows are there already.
    const nothing = this.#journal.draft();
    this.#requests.set(nothing, this.#requests.get(draft)!);
    void draft.discard();
    const commit = { id: nothing.id, after: head.id, cursor, deletes: [], confirmed, digest };
    this.#save(nothing, commit, (later) => this.#journal.append(nothing, commit, later));
  }

  /** The cache shows what it held, corrected by what is in this draft. */
  publishDelta(draft: Draft, { since, cursor, ageMs = 0, deletes, unknown }: PublishedDelta): void {
    const head = this.#head;
    if (head === undefined || head.cursor !== since) {
      this.#head = undefined;
      void draft.discard();
      return;
    }
    const confirmed = this.#confirmedAt(draft, ageMs);
    const digest = draft.isEmpty && deletes.size === 0 ? head.digest : undefined;
    const commit = { id: draft.id, after: head.id, cursor, deletes: [...deletes], confirmed, digest };
    this.#save(draft, commit, (later) => this.#journal.append(draft, commit, later), unknown);
  }

  /** @throws where a restart would serve these again. */
  invalidate(keys: readonly string[] | undefined): Promise<void> {
    this.#order += 1;
    if (keys === undefined) {
      this.#allInvalidated = this.#order;
      this.#unknown.clear();
      this.#head = undefined;
      this.#confirmed = undefined;
      return this.#journal.remove();
    }
    for (const key of keys) this.#unknown.set(key, this.#order);
    return this.#journal.invalidate(keys);
  }

  /** Resolves when everything that was published is on disk. */
  async stop(): Promise<void> {
    await this.#commits;
    await this.#draft?.discard();
    this.#draft = undefined;
    await this.#journal.idle();
    await this.#file?.close();
    this.#file = undefined;
  }

  async *#rowsOf(file: FileHandle, contents: Contents): AsyncGenerator<readonly [string, unknown]> {
    try {
      yield* readRows(file, contents);
    } finally {
      this.#file = undefined;
      await file.close();
    }
  }

  #confirmedAt(draft: Draft, ageMs: number): Moment {
    return before(this.#requests.get(draft)!.sent, ageMs);
  }

  /** `silent`: keys that were unknown when it was asked for, and are so still. */
  #save(
    draft: Draft,
    commit: Omit<Commit, 'unknown'>,
    write: (later: Unknown) => Promise<void>,
    silent: ReadonlySet<string> = new Set(),
  ): void {
    this.#draft = undefined;
    const { id, cursor, confirmed, digest } = commit;
    const { order } = this.#requests.get(draft)!;
    if (this.#cannotSave || order < this.#allInvalidated) {
      void draft.discard();
      return;
    }
    const bytes = draft.memoryBytes + BYTES_PER_COMMIT;
    if (this.#waitingBytes + bytes > MOST_WAITING_BYTES) {
      void draft.discard();
      this.#failed(new Error('the disk is too slow'));
      return;
    }
    this.#waitingBytes += bytes;
    this.#head = { id, cursor, digest };
    const later = (): readonly string[] => {
      if (order < this.#allInvalidated) throw new Overtaken();
      return [...this.#unknown].filter(([, at]) => at > order).map(([key]) => key);
    };
    this.#commits = this.#commits.then(async () => {
      try {
        await write(later);
        for (const [key, at] of this.#unknown) if (at < order && !silent.has(key)) this.#unknown.delete(key);
        this.#confirmed = confirmed;
        this.#failures = 0;
        this.#warning = undefined;
        await this.#journal.compact(() => [...this.#unknown.keys()]);
      } catch (error) {
        await draft.discard();
        if (error instanceof Gap) {
          // Told when the one in between failed: one failure, however many were waiting behind it.
          this.#head = undefined;
        } else if (!(error instanceof Overtaken)) {
          this.#failed(error);
        }
      } finally {
        this.#waitingBytes -= bytes;
      }
    });
  }

  #failed(error: unknown): void {
    this.#head = undefined;
    this.#failedAt = this.#now();
    this.#failures += 1;
    this.#cannotSave = error instanceof ForeignFile || error instanceof TypeError;
    this.#warning = `nothing is saved: ${reasonOf(error)}`;
  }
}

/** Without paths of others, keys or values: system errors by their code. */
function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : said(error);
}
