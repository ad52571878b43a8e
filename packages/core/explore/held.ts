/** What a history says about what is held. */
import type { HeldStatus } from '../src/status.ts';
import { isForRead, isUnderWay } from './calls.ts';
import { refresh } from './rounds.ts';
import { everybody, giveTurn, settle } from './settle.ts';
import type { World } from './world.ts';

export type Verdict = 'accept' | 'reject';

export function accept(world: World): void {
  const { cache, known, tickets } = world;
  const held = decide(world, 'accept');
  if (held === undefined) return;
  for (const key of held.sampleKeys) known.accept(key, tickets);
  const isDone = !held.sampleKeys.some((key) => cache.has(key)) && cache.status().held === undefined;
  world.expect(16, isDone, () => 'accept() left something');
}

export function reject(world: World): void {
  const { cache, known } = world;
  const held = decide(world, 'reject');
  if (held === undefined) return;
  world.expect(16, cache.status().held?.rejected === true, () => 'reject() is not to be seen');
  for (const key of held.sampleKeys) known.reject(key, world.now);
}

/** What was held when it was said; `undefined`: nothing was. */
function decide(world: World, verdict: Verdict): HeldStatus | undefined {
  const { cache } = world;
  const { held } = cache.status();
  const said = cache[verdict]();
  world.expect(16, said === (held !== undefined), () => `${verdict}() said ${said}`);
  if (held !== undefined) world.exercised(16);
  return held;
}

interface Trial {
  readonly missing: readonly string[];
  readonly lies: boolean;
  readonly verdict: Verdict;
  /** A round is under way when it is said. */
  readonly during: boolean;
  /** So many rounds follow. */
  readonly again: number;
  readonly back: readonly string[];
  readonly picks: readonly number[];
}

/** Rows vanish until they are held; then somebody says what is to become of them, and the source goes on. */
export async function trial(
  world: World,
  { missing, lies, verdict, during, again, back, picks }: Trial,
): Promise<void> {
  const { wild } = world;
  const lose = (): void => {
    if (lies) wild.faults = ['empty'];
  };
  await everybody(world);
  if (!lies) world.table.commit(new Map(missing.map((key) => [key, 'deleted'])));
  lose();
  refresh(world, { full: true, dryRun: false });
  await everybody(world);
  if (world.cache.status().held === undefined) return;
  if (during) {
    world.table.commit(new Map(back.map((key) => [key, 'good'])));
    refresh(world, { full: true, dryRun: false });
    for (const pick of picks) {
      if (!wild.calls.some((call) => isUnderWay(call) && !isForRead(call))) break;
      giveTurn(world, pick);
      await settle(world);
    }
  }
  if (verdict === 'accept') accept(world);
  else reject(world);
  await settle(world);
  if (!during && !lies) world.table.commit(new Map(back.map((key) => [key, 'good'])));
  for (let left = again; left > 0 && world.broken === undefined; left -= 1) {
    lose();
    refresh(world, { full: true, dryRun: false });
    await everybody(world);
  }
}
