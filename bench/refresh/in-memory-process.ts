/**
 * What a refresh costs beside the plain thing, without a database: rows are texts in memory. Prints the milliseconds of
 * each round; both take turns.
 */
import { isDeepStrictEqual } from 'node:util';
import { TTLCacheService } from 'evercache';
import type { ResolvedOptions } from '../../packages/postgres/src/options.ts';
import { RowMemory } from '../../packages/postgres/src/row-memory.ts';
import { rowReader } from '../../packages/postgres/src/rows.ts';
import type { InMemoryPlan, InMemoryResult } from './in-memory.ts';

type Text = readonly [key: string, text: string];

/** Kept, so that nothing of it can be optimized away. */
let filled: Map<string, unknown> | undefined;

const plan = JSON.parse(process.argv[2]!) as InMemoryPlan;
console.log(JSON.stringify(await measure(plan)));

async function measure({ name, keys, rounds }: InMemoryPlan): Promise<InMemoryResult> {
  const plain: number[] = [];
  const ours: number[] = [];
  const round = { 'all new': allNew, 'all changed': allChanged, '1 % changed': fewChanged }[name](keys);
  // The first one warms up: it does a hundred thousand rows already.
  for (let index = -1; index < rounds; index += 1) {
    const { plain: plainMs, ours: oursMs } = await round(index + 1);
    if (index < 0) continue;
    plain.push(plainMs);
    ours.push(oursMs);
  }
  return { plain, ours };
}

type Round = (index: number) => Promise<{ readonly plain: number; readonly ours: number }>;

function allNew(keys: number): Round {
  const texts = Array.from({ length: keys }, (_, key) => textOf(key, 0));
  return async (index) =>
    inTurns(
      index,
      () => fill(texts),
      () => open(() => parsed(texts)).refresh(),
    );
}

function allChanged(keys: number): Round {
  let texts: Text[] = [];
  const cache = open(() => parsed(texts));
  return async (index) => {
    texts = Array.from({ length: keys }, (_, key) => textOf(key, index));
    return inTurns(
      index,
      () => fill(texts),
      () => cache.refresh(),
    );
  };
}

/** Three rows a key, grouped. The plain way parses all of them, and compares what it made with what it had. */
function fewChanged(keys: number): Round {
  const rows: Text[] = Array.from({ length: 3 * keys }, (_, row) => [`key ${Math.floor(row / 3)}`, textOf(row, 0)[1]]);
  const memory = new RowMemory();
  const cache = open(() => read(rows, memory));
  let held = new Map<string, unknown>();
  return async (index) => {
    for (let key = index; key < keys; key += 100) rows[3 * key] = [`key ${key}`, textOf(3 * key, index + 1)[1]];
    return inTurns(
      index,
      () => {
        held = compareAll(rows, held);
      },
      () => cache.refresh(),
    );
  };
}

async function inTurns(index: number, plain: () => unknown, ours: () => Promise<unknown>) {
  const took = { plain: 0, ours: 0 };
  const work = { plain, ours };
  for (const name of index % 2 === 0 ? (['plain', 'ours'] as const) : (['ours', 'plain'] as const)) {
    globalThis.gc?.();
    const startedAt = performance.now();
    await work[name]();
    took[name] = performance.now() - startedAt;
  }
  return took;
}

function open(entries: () => Iterable<readonly [string, unknown]>): TTLCacheService<unknown> {
  return new TTLCacheService<unknown>({ name: 'bench', source: { fetchAll: async () => entries() }, ttl: '1d' });
}

function* parsed(texts: readonly Text[]): Generator<readonly [string, unknown]> {
  for (const [key, text] of texts) yield [key, JSON.parse(text)];
}

/** As the source of PostgreSQL reads everything: batches of rows, not parsed where the text is known. */
function* read(rows: readonly Text[], memory: RowMemory): Generator<readonly [string, unknown]> {
  const reading = memory.readAll(false);
  const reader = rowReader({ grouped: true, key: 'key' } as ResolvedOptions, reading.recall);
  for (let from = 0; from < rows.length; from += 1000) yield* reader.take(rows.slice(from, from + 1000));
  yield* reader.finish();
  reading.end();
}

function fill(texts: readonly Text[]): void {
  filled = new Map();
  for (const [key, text] of texts) filled.set(key, freeze(JSON.parse(text)));
}

function compareAll(rows: readonly Text[], held: ReadonlyMap<string, unknown>): Map<string, unknown> {
  const groups = new Map<string, unknown[]>();
  for (const [key, text] of rows) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [JSON.parse(text)]);
    else group.push(JSON.parse(text));
  }
  const next = new Map<string, unknown>();
  for (const [key, group] of groups) {
    const before = held.get(key);
    next.set(key, isDeepStrictEqual(before, group) ? before : freeze(group));
  }
  return next;
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}

/** A row of an application, of about 470 characters. */
function textOf(row: number, version: number): Text {
  const value = {
    id: row,
    name: `tool_${row}`,
    kind: row % 3 === 0 ? 'sql' : 'static',
    description: `Use this to look up invoices of region ${row % 50}. Answers what is known today, and nothing else.`,
    config: { statement: 'select id, title, status from tasks where user_id = $1 order by id', params: ['userId'] },
    args: { type: 'object', properties: { id: { type: 'string', maxLength: 64 }, limit: { type: 'integer' } } },
    labels: ['finance', 'reporting', `region-${row % 50}`],
    active: true,
    updatedAt: `2026-01-01T00:00:00.${String(version).padStart(3, '0')}Z`,
  };
  return [`key ${row}`, JSON.stringify(value)];
}
