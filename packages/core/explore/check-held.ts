/** The guard: what looks like a catastrophe is held, nothing else is, and what was said about it counts. */
import type { RefreshReport } from '../src/index.ts';
import type { Call, Value } from './calls.ts';
import type { Settings } from './settings.ts';
import type { World } from './world.ts';

/** Readers saw `before`, and a bulk answer has been published. */
export function isGuarded(world: World, call: Call, before: ReadonlyMap<string, Value>): void {
  const { known, cache, settings } = world;
  const lacks = (key: string): boolean =>
    call.method === 'fetchAll' ? !call.rows.has(key) : call.deletes.has(key) && known.of(key).expected !== undefined;
  const missing = [...before.keys()].filter(lacks);
  if (isTooMuch(settings, missing.length, before.size, call.rows.size === 0 && missing.length === before.size)) {
    world.exercised(6);
  }
  const removed = missing.filter((key) => {
    const isRemoved = !cache.has(key) && known.of(key).expected !== undefined;
    return isRemoved && world.now - world.vouchedAt(key, before.get(key)!) <= world.maxAge;
  });
  // No answer before a delta can agree with it.
  const isAgreed = (key: string): boolean =>
    call.method === 'fetchAll' && known.of(key).lacking >= settings.guard.acceptAfter;
  const unconfirmed = removed.filter((key) => !isAgreed(key));
  const confirmed = removed.length - unconfirmed.length;
  const emptied = call.method === 'fetchAll' ? call.rows.size === 0 : cache.size === 0 && call.rows.size === 0;
  const isWrong =
    isTooMuch(settings, removed.length, before.size, emptied) &&
    isTooMuch(settings, unconfirmed.length, before.size - confirmed, emptied);
  world.expect(
    6,
    !isWrong,
    () =>
      `${unconfirmed.length} of ${before.size} rows are gone that ${call.ticket} lacks and too few answers before it did`,
  );
}

/** Nor is anything held that is no catastrophe. Only where nothing was held before: what it was judged by is known. */
export function isRightlyHeld(
  world: World,
  call: Call,
  before: ReadonlyMap<string, Value>,
  { held }: RefreshReport,
): void {
  if (held === undefined || world.wasHeld || call.method !== 'fetchAll') return;
  // A start in the same step shows again what was late: it is visible still, and not because of this answer.
  const shown = [...world.cache.keys()].filter((key) => !call.rows.has(key));
  const { size } = new Set([...before.keys(), ...shown]);
  world.exercised(6);
  world.expect(
    6,
    isTooMuch(world.settings, held, size, call.rows.size === 0),
    () => `${held} of ${size} rows are held, which is no catastrophe`,
  );
}

function isTooMuch({ guard }: Settings, count: number, of: number, emptied: boolean): boolean {
  return count > 0 && (emptied || (of >= guard.minRows && count > guard.maxRemovedShare * of));
}

/** Rows that are held, and of which somebody has said that they are not to go. */
export function areKept(world: World): void {
  for (const [key, known] of world.known.keys) {
    if (known.keptUntil === undefined) continue;
    const { state, ageMs } = world.cache.inspect(key);
    const isShown = state === 'fresh' || state === 'stale';
    const isGone = !isShown && world.now <= known.keptUntil && !world.isAsleep;
    world.expect(16, !isGone, () => `${JSON.stringify(key)} is gone, whose removal was rejected`);
    known.keptUntil = isShown ? world.now - ageMs! + world.maxAge : undefined;
  }
}
