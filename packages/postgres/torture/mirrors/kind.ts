/** What a mirror copies, how it is kept, and how to look into it: one file of this folder for each way. */
import { type TTLCacheOptions, TTLCacheService } from 'evercache';
import type { PostgresClient, PostgresSource } from '../../src/index.ts';

/** A line of a mirror: an item, or a writer with what it has booked. */
export interface Line {
  readonly id: string;
  /** Of an item; of a writer what it has booked. A bigint, which is read as text. */
  readonly amount: string;
  /** Of writers only. */
  readonly epoch: number | null;
  readonly commits: number | null;
  /** Where the SELECT joins the owner. */
  readonly owner?: string | null;
  readonly label?: number | null;
}

/** What is under a key. */
export type Held = Line | readonly Line[];

/** What a mirror is to the run. */
export interface Kept {
  /** What is refreshed, and says what came of it. */
  readonly cache: Pick<TTLCacheService<Held>, 'start' | 'stop' | 'refresh' | 'on' | 'status'>;
  /** All that it serves: one generation. */
  entries(): Iterable<readonly [string, Held]>;
  /** The same, read from the tables by a way of its own. */
  truth(): Promise<ReadonlyMap<string, Held>>;
}

export interface MirrorKind {
  readonly name: string;
  /** `client` is what the mirror lives on. */
  keep(client: PostgresClient, beside: Beside): Kept;
}

/** What there is beside the client of a mirror. */
export interface Beside {
  /** Reads what is to be compared with. */
  readonly truth: PostgresClient;
  /** The primary itself. */
  readonly primaryUrl: string;
}

/** Of all caches and mirrors. */
export const SETTINGS: Omit<TTLCacheOptions<Held>, 'name' | 'source'> = {
  // The run asks for refreshes itself.
  ttl: '1h',
  refreshInterval: '30m',
  staleIfError: '1d',
  timeout: '2s',
  refreshTimeout: '5s',
  // Nothing is held: a generation is compared with the tables as it is.
  guard: { maxRemovedShare: 1, acceptAfter: 1 },
};

/** Of two sources that read the same: the one that is tried, and the plain one. */
export function keep(name: string, source: PostgresSource<Held> | object, plain: PostgresSource<Held>): Kept {
  const cache = new TTLCacheService<Held>({ name, source: source as PostgresSource<Held>, ...SETTINGS });
  return { cache, entries: () => cache.entries(), truth: () => readAll(plain) };
}

async function readAll(source: PostgresSource<Held>): Promise<Map<string, Held>> {
  const all = new Map<string, Held>();
  const { signal } = new AbortController();
  for await (const [key, held] of await source.fetchAll({ signal, reason: 'truth' })) all.set(key, held);
  return all;
}
