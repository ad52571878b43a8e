import { TTLCacheService } from 'evercache';
import { VirtualClock } from 'evercache/testing';
import { afterEach, expect, test, vi } from 'vitest';
import type { ResolvedTable } from '../src/mirror/mirror-options.ts';
import { MARKERS } from '../src/mirror/mirror-source.ts';
import { type Shown, Tables } from '../src/mirror/tables.ts';
import { Slice } from '../src/slice.ts';

const ROWS = 3000;
const TABLE = { name: 'rows', tag: 'rows:', indexes: ['group'] } as unknown as ResolvedTable;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The rows of a generation: each in another group than in the one before. */
function rowsOf(generation: number): (readonly [string, unknown])[] {
  const markers = Object.values(MARKERS).map((marker) => [marker, true] as const);
  const rows = Array.from({ length: ROWS }, (_, n) => [`rows:${n}`, { group: (n + generation) % 7 }] as const);
  return [...markers, ...rows];
}

test('a change that comes while another is prepared is prepared in slices, too, and both are shown as one', async () => {
  let generation = 0;
  const source = { fetchAll: async () => rowsOf(generation) };
  const cache = new TTLCacheService<unknown>({
    name: 'test',
    source,
    clock: new VirtualClock(),
    guard: { minRows: 1e6 },
  });
  const shown: Shown[] = [];
  const tables = new Tables(cache, [TABLE], (what) => void shown.push(what));
  await cache.start();
  await tables.settled();

  const refresh = async (): Promise<void> => {
    generation += 1;
    await cache.refresh({ full: true });
  };
  // Each step is a slice: two turns for each row, and a third one for what comes meanwhile.
  vi.spyOn(Slice.prototype, 'isOver').mockReturnValue(true);
  const turns = vi.spyOn(Slice.prototype, 'next');
  await refresh();
  expect(tables.isBehind).toBe(true);
  await refresh();
  expect(tables.isBehind).toBe(true);
  await tables.settled();

  expect(turns.mock.calls.length).toBeGreaterThan(2.5 * ROWS);
  expect(shown.map(({ updated }) => updated.length)).toEqual([0, ROWS]);
  expect(new Set(shown[1]?.updated).size).toBe(ROWS);
  const inGroup = (group: number): string[] =>
    rowsOf(generation).flatMap(([key, row]) => ((row as { group?: number }).group === group ? [key] : []));
  for (let group = 0; group < 7; group += 1) {
    expect(tables.keysBy(TABLE, 'group', `${group}`)).toEqual(inGroup(group).toSorted());
  }
  await cache.stop();
});
