/** Caches in which something is stale: what a hit costs there. */
import { type StandardSchema, TTLCacheService } from 'evercache';
import { VirtualClock } from 'evercache/testing';
import type { Entries } from '../contenders.ts';

type Cache = TTLCacheService<object>;

/** What each of them is to be: are its first row and its last one stale? */
interface Staleness {
  readonly first: boolean;
  readonly last: boolean;
}

/** Nothing has been read for longer than the ttl. */
export async function inOutage(entries: Entries): Promise<Cache> {
  const { cache, endure } = await loaded(entries);
  await endure();
  return checked(cache, entries, { first: true, last: true });
}

/** One row was fetched singly before that, so it has an age of its own. */
export async function rowBeforeOutage(entries: Entries): Promise<Cache> {
  const { cache, endure } = await loaded(entries);
  await fetchFirst(cache, entries);
  await endure();
  return checked(cache, entries, { first: true, last: true });
}

/** The source answers for one row again, and for no other. */
export async function rowInOutage(entries: Entries): Promise<Cache> {
  const { cache, endure } = await loaded(entries);
  await endure();
  await fetchFirst(cache, entries);
  return checked(cache, entries, { first: false, last: true });
}

/** One row does not pass its schema any more, so its last good value stays, past its ttl by now. */
export async function withWrongRow(entries: Entries): Promise<Cache> {
  const clock = new VirtualClock(1);
  const [[key], ...others] = entries as [Entries[number], ...Entries];
  const wrong = {};
  let rows = entries;
  const schema: StandardSchema<object> = {
    '~standard': {
      version: 1,
      vendor: 'bench',
      validate: (value) => (value === wrong ? { issues: [{ message: 'wrong' }] } : { value: value as object }),
    },
  };
  const source = { fetchAll: async () => rows };
  const cache = new TTLCacheService<object>({ name: 'bench', ttl: '1h', clock, source, schema });
  await cache.start();
  rows = [[key, wrong], ...others];
  await clock.advance('2h');
  if (cache.inspect(key)?.quarantined === undefined) throw new Error('expected a row that is wrong');
  return checked(cache, entries, { first: true, last: false });
}

/** A cache whose source falls silent when it has to `endure`. */
async function loaded(entries: Entries): Promise<{ cache: Cache; endure: () => Promise<void> }> {
  const clock = new VirtualClock(1);
  let isDown = false;
  const rows = new Map(entries);
  const cache = new TTLCacheService<object>({
    name: 'bench',
    ttl: '1m',
    refreshInterval: '30s',
    clock,
    source: {
      fetchAll: async () => {
        if (isDown) throw new Error('the source is down');
        return entries;
      },
      fetchOne: async (key) => rows.get(key),
    },
  });
  await cache.start();
  const endure = async (): Promise<void> => {
    isDown = true;
    // No longer than it takes: a source that fails for long is not asked for single rows either.
    await clock.advance('61s');
    if (cache.status().state !== 'degraded') throw new Error('expected an outage');
  };
  return { cache, endure };
}

async function fetchFirst(cache: Cache, entries: Entries): Promise<void> {
  await cache.fetch(entries[0]![0], { fresh: true });
}

function checked(cache: Cache, entries: Entries, wanted: Staleness): Cache {
  const isStale = (key: string): boolean => {
    const before = cache.stats().staleHits;
    if (cache.get(key) === undefined) throw new Error(`expected ${key} to be there`);
    return cache.stats().staleHits > before;
  };
  const found: Staleness = { first: isStale(entries[0]![0]), last: isStale(entries.at(-1)![0]) };
  if (found.first !== wanted.first || found.last !== wanted.last) {
    throw new Error(`expected ${JSON.stringify(wanted)} to be stale, got ${JSON.stringify(found)}`);
  }
  return cache;
}
