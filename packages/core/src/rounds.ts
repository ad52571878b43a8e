/**
 * One round of "is what we hold still true?": by a whole snapshot, or by reading some keys again. Knows how; when is
 * the refresher's business.
 */
import type { CacheError } from './errors.ts';
import type { Events } from './events.ts';
import type { Fence } from './fence.ts';
import type { KeyAnswer, KeyReader } from './key-reader.ts';
import { inWaves, SINGLE_CALLS_AT_A_TIME } from './limited.ts';
import type { Publication } from './publication.ts';
import type { RowCheck } from './schema.ts';
import { readSnapshot, type StagedSnapshot } from './snapshot-reader.ts';
import type { FetchContext, Source } from './source.ts';
import type { Sent, SourceCalls } from './source-calls.ts';
import type { RefreshReport } from './status.ts';

/** The part of the store that a round needs. */
export interface RoundStore<T> {
  readonly live: ReadonlyMap<string, T>;
  readonly quarantine: ReadonlyMap<string, string>;
  generation: number;
  heldKeys(): string[];
  prepare(value: T, held: T | undefined): T;
  publish(publication: Publication<T>): void;
}

export interface RoundRequest {
  readonly reason: string;
  /** Everything: by a snapshot, or else what is held. */
  readonly whole: boolean;
  /** These keys, held or not. */
  readonly keys: readonly string[];
  /** Somebody awaits the report. */
  readonly awaited: boolean;
  /** Ask even while the breaker waits. */
  readonly insist: boolean;
}

interface RoundsOptions<T> {
  readonly source: Source<unknown>;
  readonly calls: SourceCalls;
  readonly fence: Fence;
  readonly store: RoundStore<T>;
  readonly reader: KeyReader<T>;
  readonly rows: RowCheck<T>;
  readonly events: Events;
  readonly refreshTimeout: number;
  /** An answer older than this cannot be shown. */
  readonly maxAge: number;
  readonly now: () => number;
}

/** What a round changed; the report without its frame. */
interface Changes {
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: number;
  readonly quarantined: number;
  /** Some keys could not be read. */
  readonly error?: CacheError | undefined;
}

const NO_CHANGES: Changes = { added: [], updated: [], removed: [], unchanged: 0, quarantined: 0 };
const KEYS_PER_CALL = 1_000;
/** Beyond this many keys a whole snapshot is the cheaper way. */
const MAX_KEYS = 1_000;
const SAMPLE_KEYS = 10;

export class Rounds<T> {
  readonly #options: RoundsOptions<T>;

  constructor(options: RoundsOptions<T>) {
    this.#options = options;
  }

  /** Does this round check everything? It may where only some keys were asked for. */
  isWhole(request: RoundRequest): boolean {
    return request.whole || !this.#isByKeys(request);
  }

  /** Runs one round. Never throws for the source's failure: the report says it. */
  async run(request: RoundRequest): Promise<RefreshReport> {
    const { store, now } = this.#options;
    const startedAt = now();
    const { whole, keys } = request;
    const byKeys = this.#isByKeys(request);
    const report = (outcome: RefreshReport['outcome'], changes: Changes, error?: CacheError): RefreshReport => ({
      outcome,
      kind: byKeys ? 'delta' : 'snapshot',
      reason: request.reason,
      generation: store.generation,
      added: changes.added.length,
      updated: changes.updated.length,
      removed: changes.removed.length,
      unchanged: changes.unchanged,
      quarantined: changes.quarantined,
      sampleKeys: [...changes.added, ...changes.updated, ...changes.removed].slice(0, SAMPLE_KEYS),
      tookMs: now() - startedAt,
      ...(error === undefined ? {} : { error }),
    });
    try {
      const changes = byKeys
        ? await this.#readKeys([...new Set(whole ? [...store.heldKeys(), ...keys] : keys)], request)
        : await this.#readAll(request);
      return report(isChange(changes) ? 'published' : 'unchanged', changes, changes.error);
    } catch (error) {
      const failure = error as CacheError;
      return report(failure.code === 'stopped' ? 'stopped' : 'failed', NO_CHANGES, failure);
    }
  }

  #isByKeys({ whole, keys }: RoundRequest): boolean {
    const { source, reader } = this.#options;
    return source.fetchAll === undefined || (!whole && reader.canRead && keys.length <= MAX_KEYS);
  }

  async #readAll(request: RoundRequest): Promise<Changes> {
    const { calls, fence, refreshTimeout } = this.#options;
    for (;;) {
      const changes = await calls.run({
        reason: request.reason,
        timeout: refreshTimeout,
        awaited: request.awaited,
        insist: request.insist,
        request: (context, sent) => this.#request(context, sent),
        apply: (staged, sent) => (fence.isOvertaken(sent.ticket) ? undefined : this.#publish(staged, sent)),
      });
      // Everything was invalidated while this was being read: it speaks of the time before. Read again.
      if (changes !== undefined) return changes;
    }
  }

  async #request(context: FetchContext, sent: Sent): Promise<StagedSnapshot<T>> {
    const { source, calls, store, rows, maxAge, now } = this.#options;
    const invalid = (message: string, details?: { key?: string; cause?: unknown }): CacheError =>
      calls.error('invalid-snapshot', message, details);
    const staged = await readSnapshot<T>({
      answer: await source.fetchAll!(context),
      signal: context.signal,
      check: (row) => rows.check(row),
      held: () => store.live,
      prepare: (value, held) => store.prepare(value, held),
      invalid,
    });
    if (now() - sent.at + staged.ageMs <= maxAge) return staged;
    throw invalid('the snapshot is older than ttl + staleIfError: it can no longer be served');
  }

  #publish(staged: StagedSnapshot<T>, sent: Sent): Changes {
    const { fence, store, events } = this.#options;
    const later = new Set(fence.keysMarkedAfter(sent.ticket));
    const notLater = (keys: readonly string[]): readonly string[] =>
      later.size === 0 ? keys : keys.filter((key) => !later.has(key));
    const changes: Changes = {
      added: notLater(staged.added),
      updated: notLater(staged.updated),
      removed: notLater(staged.removed),
      unchanged: staged.unchanged,
      quarantined: staged.quarantined.size,
    };
    const news = [...staged.quarantined].filter(([key, problem]) => store.quarantine.get(key) !== problem);
    if (isChange(changes)) store.generation += 1;
    const { entries, ageMs, quarantined } = staged;
    store.publish({ entries, confirmedAt: sent.at - ageMs, quarantined, later });
    fence.storedAll(sent.ticket);
    for (const [key, message] of news) events.emit('quarantine', { key, message });
    this.#announce(changes);
    return changes;
  }

  async #readKeys(keys: readonly string[], request: RoundRequest): Promise<Changes> {
    const { calls, fence, reader } = this.#options;
    const { reason, awaited } = request;
    const answers: KeyAnswer<T>[] = [];
    // All answers are stored in one step at the end; this ticket keeps the fence's marks until then.
    const guard = fence.open();
    try {
      const batches = reader.canReadMany ? chunks(keys, KEYS_PER_CALL) : keys.map((key) => [key]);
      const failures = await inWaves(batches, reader.canReadMany ? 1 : SINGLE_CALLS_AT_A_TIME, (batch) => {
        const insist = request.insist && batch === batches[0];
        return reader.read(batch, { reason, awaited, insist }, (found) => void answers.push(...found));
      });
      const [first] = failures as CacheError[];
      // An outage half-way has changed nothing. But one key that always fails, while the source answers for others,
      // keeps none of them from being confirmed: it ages alone.
      if (first !== undefined && (answers.length === 0 || calls.areRefused)) throw first;
      return { ...this.#storeAll(answers), error: first };
    } finally {
      fence.close(guard);
    }
  }

  #storeAll(answers: readonly KeyAnswer<T>[]): Changes {
    const { store, reader } = this.#options;
    const before = answers.map(({ key }) => store.live.get(key));
    const outcomes = reader.store(answers);
    const changes = {
      added: [] as string[],
      updated: [] as string[],
      removed: [] as string[],
      unchanged: 0,
      quarantined: 0,
    };
    for (const [index, { key }] of answers.entries()) {
      const after = store.live.get(key);
      if (outcomes[index]!.error !== undefined) changes.quarantined += 1;
      else if (before[index] === after) changes.unchanged += after === undefined ? 0 : 1;
      else if (before[index] === undefined) changes.added.push(key);
      else if (after === undefined) changes.removed.push(key);
      else changes.updated.push(key);
    }
    if (isChange(changes)) store.generation += 1;
    this.#announce(changes);
    return changes;
  }

  #announce({ added, updated, removed }: Changes): void {
    const { events, store } = this.#options;
    if (added.length + updated.length + removed.length === 0) return;
    events.emit('change', { generation: store.generation, added, updated, removed });
  }
}

function isChange({ added, updated, removed }: Changes): boolean {
  return added.length + updated.length + removed.length > 0;
}

function chunks<I>(items: readonly I[], size: number): (readonly I[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
