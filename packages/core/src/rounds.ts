/**
 * One round of "is what we hold still true?": by what has changed, by a whole snapshot, or by reading some keys again.
 * Knows how; when is the refresher's business.
 */
import { both, type Changes, isChange, NO_CHANGES } from './changes.ts';
import { canBeCorrected, readChanges } from './delta-round.ts';
import type { CacheError } from './errors.ts';
import { readKept } from './kept-round.ts';
import { readKeys } from './keys-round.ts';
import type { RoundParts, RoundRequest } from './round.ts';
import type { Cursor } from './source.ts';
import type { RefreshReport } from './status.ts';
import { readWhole } from './whole-round.ts';

/** Beyond this many keys a whole snapshot is the cheaper way. */
const MAX_KEYS = 1_000;
const SAMPLE_KEYS = 10;

/** How far a round has come, so that a failure can be told of the right thing. */
interface Course {
  kind: RefreshReport['kind'];
  reason: string;
  readonly startedAt: number;
  readonly dryRun?: true;
}

export class Rounds<T> {
  readonly #parts: RoundParts<T>;
  /** Where a delta would go on; `undefined`: nowhere. */
  #cursor: Cursor;

  constructor(parts: RoundParts<T>) {
    this.#parts = parts;
  }

  /** Does this round check everything? It may where only some keys were asked for. */
  isWhole(request: RoundRequest): boolean {
    return request.whole || !this.#canReadOnly(request.keys);
  }

  /** Runs one round. Never throws for the source's failure: the report says it. */
  async run(request: RoundRequest): Promise<RefreshReport> {
    const course: Course = {
      kind: 'snapshot',
      reason: request.reason,
      startedAt: this.#parts.now(),
      ...(request.dryRun && { dryRun: true }),
    };
    try {
      const changes = await this.#read(request, course);
      const outcome = changes.held > 0 ? 'held' : isChange(changes) ? 'published' : 'unchanged';
      return this.#report(outcome, course, changes);
    } catch (error) {
      const failure = error as CacheError;
      const outcome = failure.code === 'stopped' ? 'stopped' : 'failed';
      return this.#report(outcome, course, { ...NO_CHANGES, error: failure });
    }
  }

  /** Serves what the source has kept from an earlier life, if it has. Deltas go on from there. */
  async restore(): Promise<RefreshReport | undefined> {
    const { source, store, now } = this.#parts;
    if (source.restore === undefined || source.fetchAll === undefined) return undefined;
    // Whatever is known already, be it that a key is absent, is newer.
    if (store.base.phase !== 'none' || store.knownKeys().length + store.negatives.size > 0) return undefined;
    const course: Course = { kind: 'snapshot', reason: 'restore', startedAt: now() };
    // What went wrong is told as an event; the source itself is asked next.
    const outcome = await readKept(this.#parts).catch(() => undefined);
    if (outcome === undefined) return undefined;
    this.#cursor = outcome.cursor;
    return this.#report('published', course, outcome.changes);
  }

  #report(outcome: RefreshReport['outcome'], course: Course, changes: Changes): RefreshReport {
    const { added, updated, removed, held, unchanged, quarantined, error } = changes;
    const { startedAt, ...told } = course;
    // Told to whoever asked and to all listeners, and kept.
    return Object.freeze({
      outcome,
      ...told,
      generation: this.#parts.store.generation,
      added: added.length,
      updated: updated.length,
      removed: removed.length,
      unchanged,
      quarantined,
      sampleKeys: Object.freeze(
        [added, updated, removed].flatMap((keys) => keys.slice(0, SAMPLE_KEYS)).slice(0, SAMPLE_KEYS),
      ),
      tookMs: this.#parts.now() - startedAt,
      ...(held > 0 && { held }),
      ...(error === undefined ? {} : { error }),
    });
  }

  #canReadOnly(keys: readonly string[]): boolean {
    const { source, reader } = this.#parts;
    return source.fetchAll === undefined || (reader.canRead && keys.length <= MAX_KEYS);
  }

  async #read(request: RoundRequest, course: Course): Promise<Changes> {
    const { source, store } = this.#parts;
    const { whole, keys } = request;
    if (source.fetchAll === undefined || !this.isWhole(request)) {
      course.kind = 'delta';
      const known = whole ? store.knownKeys() : [];
      return readKeys(this.#parts, keys.length === 0 ? known : [...new Set([...known, ...keys])], request);
    }
    if (!request.full && this.#canFollow(keys)) {
      const changes = await this.#follow(request, course);
      if (changes !== undefined) return changes;
    }
    return this.#readWhole({ ...request, reason: course.reason });
  }

  async #readWhole(request: RoundRequest): Promise<Changes> {
    for (;;) {
      const outcome = await readWhole(this.#parts, request);
      // Everything was invalidated meanwhile: read again.
      if (outcome === undefined) continue;
      if (!request.dryRun) this.#cursor = outcome.cursor;
      return outcome.changes;
    }
  }

  /** By what has changed; `undefined`: a whole snapshot has to be read. */
  async #follow(request: RoundRequest, course: Course): Promise<Changes | undefined> {
    course.kind = 'delta';
    const outcome = await readChanges(this.#parts, this.#cursor, request).catch((error: CacheError) => {
      // A delta that is wrong will not be right next time: do not ask for it again.
      if (error.code === 'invalid-snapshot' && !request.dryRun) this.#cursor = undefined;
      throw error;
    });
    if (typeof outcome === 'string') {
      course.kind = 'snapshot';
      if (outcome === 'resync') course.reason = 'resync';
      return undefined;
    }
    if (request.dryRun) return outcome.changes;
    this.#cursor = outcome.cursor;
    return both(outcome.changes, await this.#readUnsure(request));
  }

  #canFollow(keys: readonly string[]): boolean {
    const { source, store, held, reader } = this.#parts;
    if (source.fetchChanges === undefined || this.#cursor === undefined || !canBeCorrected(this.#parts)) return false;
    // What is held waits for another snapshot: no delta would confirm it.
    if (held.size > 0) return false;
    const unsure = store.unsure.size + keys.length;
    return unsure === 0 || (reader.canRead && unsure <= MAX_KEYS);
  }

  /** Keys that no delta would bring back. That some of them cannot be read takes nothing from what was published. */
  async #readUnsure(request: RoundRequest): Promise<Changes> {
    const keys = [...new Set([...this.#parts.store.unsure, ...request.keys])];
    // Where they cannot be read singly, whoever invalidated them has asked for the snapshot that follows.
    if (keys.length === 0 || !this.#parts.reader.canRead) return NO_CHANGES;
    try {
      return await readKeys(this.#parts, keys, request);
    } catch (error) {
      const failure = error as CacheError;
      if (failure.code === 'stopped') throw failure;
      return { ...NO_CHANGES, error: failure };
    }
  }
}
