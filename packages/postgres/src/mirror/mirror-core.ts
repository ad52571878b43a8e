/** What the tables and views of a mirror share: the cache of all rows, and what of it is read. */
import {
  assertKeys,
  type CacheStatus,
  type Clock,
  type OptionsWithoutSchema,
  parseDuration,
  type RefreshOptions,
  type RefreshReport,
  systemClock,
  TTLCacheService,
} from 'evercache';
import { CacheSource } from './cache-source.ts';
import type { ResolvedMirror, ResolvedTable } from './mirror-options.ts';
import { MARKERS, MirrorSource } from './mirror-source.ts';
import { type Shown, Tables } from './tables.ts';
import { schemaOfEach } from './unchecked.ts';

/** A table or a view, as the core sees it. */
interface Face {
  note(shown: Shown): void;
  readAgain(names: ReadonlySet<string>): void;
  tell(shown: Shown): void;
  forget(): void;
  settled(): Promise<void>;
}

export type CacheOptions = Omit<OptionsWithoutSchema<unknown>, 'source' | 'schema'>;

export class MirrorCore {
  readonly cache: TTLCacheService<unknown>;
  readonly tables: Tables;
  readonly faces: Set<Face> = new Set();
  /**
   * Rows, and keys of views, that may not be served until they have been read again; by which names views have looked at
   * them.
   */
  readonly invalid: Map<string, readonly string[]> = new Map();
  /** All tables, their options checked. */
  readonly all: readonly ResolvedTable[];
  readonly ttl: number;
  /** Beyond this age nothing is served. */
  readonly maxAge: number;
  /** What is served is older than its ttl, as of the last refresh. */
  isStale = false;
  /** When the generation before the one that is shown was confirmed last. */
  confirmedBefore: number = Number.NEGATIVE_INFINITY;
  readonly #clock: Clock;
  #confirmedAt = Number.NEGATIVE_INFINITY;

  constructor(mirror: ResolvedMirror, options: CacheOptions) {
    const rows = new MirrorSource(mirror, (tag) => this.tables.size({ tag }));
    const source = new CacheSource(mirror.policy === undefined ? rows : mirror.policy(rows), mirror.tables);
    const hasSchemas = mirror.tables.some(({ schema }) => schema !== undefined);
    this.cache = new TTLCacheService<unknown>({ ...options, source, ...(hasSchemas && { schema: schemaOfEach }) });
    const { ttl = '5m', staleIfError = '1d', clock = systemClock } = options;
    this.ttl = parseDuration(ttl)!;
    this.maxAge = this.ttl + parseDuration(staleIfError)!;
    this.#clock = clock;
    this.all = mirror.tables;
    this.cache.on('change', () => {
      if (!this.tables.isBehind) this.confirmedBefore = this.#confirmedAt;
    });
    this.tables = new Tables(this.cache, mirror.tables, (shown) => {
      // All of them first, and then the listeners: these may read whatever they like.
      for (const face of this.faces) face.note(shown);
      this.#release();
      for (const face of this.faces) face.tell(shown);
    });
    const look = (): void => {
      const { state, ageMs } = this.cache.inspect(MARKERS.loaded);
      this.isStale = state === 'stale';
      if (ageMs !== undefined) this.#confirmedAt = this.now() - ageMs;
    };
    this.cache.on('refresh', look);
    // A row that is good again as it was before is confirmed, but no change.
    this.cache.on('refresh', () => this.#release());
    this.cache.on('state', look);
  }

  now(): number {
    return this.#clock.now();
  }

  async start(): Promise<void> {
    await this.cache.start();
    await this.settled();
  }

  async stop(): Promise<void> {
    this.tables.clear();
    this.invalid.clear();
    for (const face of this.faces) face.forget();
    await this.cache.stop();
  }

  async settled(): Promise<void> {
    await this.tables.settled();
    await Promise.all([...this.faces].map((face) => face.settled()));
  }

  /**
   * Nothing of this is served until everything has been read again: a row that is wrong here may be in other hands in the
   * tables, so it does not help to read it alone. The marker is gone until a snapshot brings it that was asked for later.
   */
  reread(invalid: readonly string[]): Promise<void> {
    for (const key of invalid) this.invalid.set(key, this.tables.namesOf(key));
    return this.cache.invalidate(MARKERS.reread);
  }

  /** Why the row in memory under this key may be one from before the last refresh; `undefined`: it is not. */
  unconfirmed(key: string): string | undefined {
    const { value, ageMs = 0, quarantined } = this.cache.inspect(key);
    if (value === undefined) return undefined;
    if (quarantined !== undefined) return quarantined;
    // Asked for after the row, so that what is as old as everything is never older.
    const { ageMs: ofAll = 0 } = this.cache.inspect(MARKERS.loaded);
    return ageMs > ofAll ? 'its removal is held' : undefined;
  }

  async invalidateAll(): Promise<void> {
    // In one step: where the cache has to wait for a disk, the tables may have been read again by the time it is done.
    const done = this.cache.invalidateAll();
    this.tables.clear();
    for (const face of this.faces) face.forget();
    await done;
  }

  /** By what has changed, which costs no more than a few keys would. */
  async refresh(options: RefreshOptions): Promise<RefreshReport> {
    const { keys = [], ...rest } = options ?? {};
    assertKeys(keys, this.cache.name, 'refresh');
    // What is no object is for the cache to refuse.
    const report = await this.cache.refresh(Object(options) === options ? rest : options);
    await this.tables.settled();
    return withoutMarkers(report);
  }

  /** What was read again may be served; a row that is quarantined or held was not, and waits. */
  #release(): void {
    if (this.invalid.size === 0 || this.tables.isBehind || this.tables.row(MARKERS.reread) === undefined) return;
    const again = [...this.invalid].filter(([key]) => this.unconfirmed(key) === undefined);
    for (const [key] of again) this.invalid.delete(key);
    const names = new Set(again.flat(2));
    for (const face of this.faces) face.readAgain(names);
  }

  /** Tells of each round when what it has published can be read: a large generation is prepared first. */
  onRefresh(listener: (report: RefreshReport) => void): void {
    this.cache.on('refresh', (report) => {
      const tell = (): void => listener(withoutMarkers(report));
      if (this.tables.isBehind) void this.settled().then(tell);
      else tell();
    });
  }

  reports(): readonly RefreshReport[] {
    return this.cache.reports().map(withoutMarkers);
  }

  status(): CacheStatus {
    const { lastRefresh, size, ...status } = this.cache.status();
    const markers = Object.values(MARKERS).filter((marker) => this.cache.has(marker)).length;
    return { ...status, size: size - markers, ...(lastRefresh && { lastRefresh: withoutMarkers(lastRefresh) }) };
  }
}

/** What a round did with rows; the markers come first among those that were added. */
function withoutMarkers(report: RefreshReport): RefreshReport {
  const markers = Object.values<string>(MARKERS);
  const sampleKeys = report.sampleKeys.filter((key) => !markers.includes(key));
  const added = report.sampleKeys.length - sampleKeys.length;
  const isWhole = report.kind === 'snapshot' && report.error === undefined;
  const unchanged = isWhole ? report.unchanged - (markers.length - added) : report.unchanged;
  return { ...report, sampleKeys, added: report.added - added, unchanged };
}
