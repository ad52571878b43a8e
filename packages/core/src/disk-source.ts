/**
 * The policy behind `onDisk`. It saves what has become what readers see, nothing else: the rows of an answer go into a
 * draft while they stream by, and the draft is thrown away or made true when the cache says what became of it.
 */
import { resolve } from 'node:path';
import { checkNames } from './checks.ts';
import type { Draft } from './disk-draft.ts';
import { DiskKeeper } from './disk-keeper.ts';
import { currentMoment, type Moment } from './disk-moment.ts';
import { inWaves, SINGLE_CALLS_AT_A_TIME } from './limited.ts';
import {
  Aged,
  type Cursor,
  type Delta,
  type Entries,
  type FetchContext,
  type Saved,
  type Snapshot,
  type Source,
} from './source.ts';
import { isIterable } from './staging.ts';

export interface OnDiskOptions {
  /**
   * The file, of this cache alone: no other cache and no other process may have it. It and its directory are made if
   * they are missing, for this user only.
   */
  readonly path: string;
  /**
   * Says what the rows look like: a file with another version is ignored. Change it whenever the source's rows change
   * their form. @default ''
   */
  readonly version?: string;
}

/** A delta that is being read. */
interface Reread {
  readonly draft: Draft;
  readonly deletes: Set<string>;
  /** What was invalidated before it was asked for, and is not on disk again yet. */
  readonly unknown: Set<string>;
  readonly context: FetchContext;
}

/** Beyond this many a whole snapshot is the cheaper way, and the cache takes it. */
const MOST_KEYS = 1_000;

/** Paths in use in this process. */
const taken = new Set<string>();

export class DiskSource<T> implements Source<T> {
  readonly breakerKey: unknown;
  readonly fetchOne?: NonNullable<Source<T>['fetchOne']>;
  readonly fetchMany?: NonNullable<Source<T>['fetchMany']>;
  readonly fetchChanges?: NonNullable<Source<T>['fetchChanges']>;
  readonly watch?: NonNullable<Source<T>['watch']>;
  readonly partOf?: NonNullable<Source<T>['partOf']>;
  readonly #source: Source<T>;
  readonly #path: string;
  readonly #keeper: DiskKeeper;
  #hasPath = false;

  constructor(source: Source<T>, options: OnDiskOptions, now: () => Moment = currentMoment) {
    checkNames('onDisk', options, ['path', 'version']);
    const { path, version = '' } = options;
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      throw new TypeError(`onDisk: option "path": expected the path of a file, got ${typeof path}`);
    }
    if (typeof version !== 'string') {
      throw new TypeError(`onDisk: option "version": expected a string, got ${typeof version}`);
    }
    if (typeof source?.fetchAll !== 'function') {
      throw new TypeError('onDisk: expected a source with fetchAll, got one without: there is no set to save');
    }
    this.#source = source;
    this.#path = resolve(path);
    this.#takePath();
    this.#keeper = new DiskKeeper({ path: this.#path, version, now });
    this.breakerKey = source.breakerKey ?? source;
    if (source.fetchOne) this.fetchOne = (key, context) => source.fetchOne!(key, context);
    if (source.fetchMany) this.fetchMany = (keys, context) => source.fetchMany!(keys, context);
    if (source.fetchChanges) this.fetchChanges = (since, context) => this.#changes(since, context);
    if (source.watch) this.watch = (nudge, context) => source.watch!(nudge, context);
    if (source.partOf) this.partOf = (key) => source.partOf!(key);
  }

  status(): Record<string, unknown> {
    return { ...this.#source.status?.(), disk: this.#keeper.status() };
  }

  async restore(context: FetchContext): Promise<Saved<T> | undefined> {
    if (!this.#hasPath) this.#takePath();
    const saved = (await this.#keeper.restore()) as Saved<T> | undefined;
    return saved ?? this.#source.restore?.(context);
  }

  async fetchAll(context: FetchContext): Promise<Snapshot<T>> {
    const draft = this.#keeper.begin(context.signal);
    const answer = await this.#source.fetchAll!(context);
    const given: Snapshot<T> = isIterable(answer) ? { entries: answer as Entries<T> } : answer;
    return {
      entries: Symbol.asyncIterator in given.entries ? later(given.entries, draft) : now(given.entries, draft),
      get cursor() {
        return given.cursor;
      },
      get ageMs() {
        return given.ageMs;
      },
      published: () => {
        given.published?.();
        this.#keeper.publishWhole(draft, given);
      },
    };
  }

  async invalidated(keys: readonly string[] | undefined): Promise<void> {
    await Promise.all([this.#keeper.invalidate(keys), this.#source.invalidated?.(keys)]);
  }

  async stopped(): Promise<void> {
    await Promise.all([this.#keeper.stop(), this.#source.stopped?.()]);
    taken.delete(this.#path);
    this.#hasPath = false;
  }

  async #changes(since: Cursor, context: FetchContext): Promise<Delta<T> | 'resync'> {
    const source = this.#source;
    context.signal.throwIfAborted();
    // The file has fallen behind: a whole snapshot puts it right.
    if (this.#keeper.needsWhole(since)) return 'resync';
    const draft = this.#keeper.begin(context.signal);
    const delta = await source.fetchChanges!(since, context);
    if (delta === 'resync') {
      void draft.discard();
      return delta;
    }
    const deletes = new Set<string>();
    const unknown = this.#keeper.unknownAt(draft);
    return {
      upserts: this.#upserts(delta, { draft, deletes, unknown, context }),
      deletes,
      get cursor() {
        return delta.cursor;
      },
      get ageMs() {
        return delta.ageMs;
      },
      published: () => {
        delta.published?.();
        this.#keeper.publishDelta(draft, { since, cursor: delta.cursor, ageMs: delta.ageMs, deletes, unknown });
      },
    };
  }

  /** What has changed, and behind it what was invalidated since it was saved: no delta would bring that back. */
  async *#upserts(
    delta: Delta<T>,
    { draft, deletes, unknown: missing, context }: Reread,
  ): AsyncGenerator<readonly [string, T]> {
    for await (const entry of later(delta.upserts, draft, false)) {
      missing.delete(entry[0]);
      yield entry;
    }
    for (const key of delta.deletes) {
      missing.delete(key);
      deletes.add(key);
    }
    if (missing.size > 0 && missing.size <= MOST_KEYS) {
      for (const [key, row] of await this.#reread([...missing], context)) {
        missing.delete(key);
        if (row === undefined) {
          deletes.add(key);
        } else {
          draft.add(key, row);
          yield [key, row];
        }
      }
    }
    draft.end();
  }

  /** Keys as they are now. Those that cannot be read are left out: the cache tries itself, and says why. */
  async #reread(keys: readonly string[], context: FetchContext): Promise<(readonly [string, T | undefined])[]> {
    const source = this.#source;
    const rows: (readonly [string, T | undefined])[] = [];
    const take = (key: string, row: T | Aged<T> | undefined): void => {
      // The delta has one age.
      if (!(row instanceof Aged)) rows.push([key, row]);
    };
    try {
      if (source.fetchMany !== undefined) {
        const found = await source.fetchMany(keys, context);
        for (const key of keys) take(key, found.get(key));
      } else if (source.fetchOne !== undefined) {
        const read = async (key: string): Promise<void> => take(key, await source.fetchOne!(key, context));
        await inWaves(keys, SINGLE_CALLS_AT_A_TIME, read);
      }
    } catch {
      // Told by the cache, which meets it again.
    }
    context.signal.throwIfAborted();
    return rows;
  }

  #takePath(): void {
    if (taken.has(this.#path)) {
      throw new TypeError(`onDisk: option "path": expected a file of its own for every cache, got one twice`);
    }
    taken.add(this.#path);
    this.#hasPath = true;
  }
}

/** Hands on, and keeps a copy. What is left in the middle is no answer. */
function* now<T>(entries: Iterable<readonly [string, T]>, draft: Draft): Generator<readonly [string, T]> {
  let isWhole = false;
  try {
    for (const entry of entries) {
      draft.add(entry[0], entry[1]);
      yield entry;
    }
    draft.end();
    isWhole = true;
  } finally {
    if (!isWhole) void draft.discard();
  }
}

async function* later<T>(entries: Entries<T>, draft: Draft, ends = true): AsyncGenerator<readonly [string, T]> {
  let isWhole = false;
  try {
    for await (const entry of entries) {
      draft.add(entry[0], entry[1]);
      yield entry;
    }
    if (ends) draft.end();
    isWhole = true;
  } finally {
    if (!isWhole) void draft.discard();
  }
}
