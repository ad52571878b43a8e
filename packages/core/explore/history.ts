/** Plays one history, and says which promise it has broken. */

import { act, start, stop } from './act.ts';
import { aborted, ended, sent } from './check-calls.ts';
import { look } from './check-memory.ts';
import { drain } from './clock.ts';
import { isConverging, isStopped } from './ending.ts';
import { describeStep, type Step } from './operations.ts';
import type { BrokenPromise, Counts } from './promises.ts';
import { roundEnded } from './rounds.ts';
import type { Settings } from './settings.ts';
import { World } from './world.ts';

/** What a history was like. */
export interface Played {
  readonly hash: number;
  readonly operations: number;
  readonly broken: BrokenPromise | undefined;
}

const realDateNow = Date.now;
let unhandled: unknown;
process.on('unhandledRejection', (reason) => {
  unhandled = reason;
});

export async function play(
  settings: Settings,
  steps: readonly Step[],
  counts: Counts,
  tell?: (line: string) => void,
): Promise<Played> {
  unhandled = undefined;
  const world: World = new World(settings, counts, {
    sent: (call) => sent(world, call),
    ended: (call) => ended(world, call),
    aborted: (call) => aborted(world, call),
    watched: () => world.expect(13, world.life !== 'stopped', () => 'a watch was set up after stop'),
  });
  world.tell = tell;
  world.cache.on('refresh', (report) => roundEnded(world, report));
  // Nothing in core may ask the wall; where something does, it gets what a jumping clock says.
  Date.now = () => world.clock.wall();
  try {
    world.table.commit(new Map(settings.keys.slice(0, -1).map((key) => [key, 'good'])));
    if (settings.startsFirst) start(world);
    for (const step of steps) {
      tell?.(`${world.step}. ${describeStep(step, settings.keys)}`);
      await take(world, step);
      if (world.broken !== undefined) break;
    }
    if (world.broken === undefined) {
      tell?.('the end: all faults are over');
      await isConverging(world);
    }
    if (world.broken === undefined) {
      stop(world);
      await isStopped(world);
    }
  } catch (error) {
    world.expect(4, false, () => `the history itself failed: ${(error as Error).stack}`);
  } finally {
    Date.now = realDateNow;
    // Not awaited: where a promise was broken, it may never end.
    void world.cache.stop().catch(() => undefined);
    await drain();
  }
  world.expect(13, unhandled === undefined, () => `an unhandled rejection: ${String(unhandled)}`);
  return { hash: world.turns.hash, operations: steps.length, broken: world.broken };
}

async function take(world: World, { operation, gap }: Step): Promise<void> {
  world.step += 1;
  world.happenings += 1;
  await act(world, operation);
  look(world, false);
  // What a dry run was told is known when it has ended: nothing else may land in between.
  if (gap !== 'all' && world.dryRuns === 0) {
    for (let turn = 0; turn < gap; turn += 1) await undefined;
    look(world, false);
    return;
  }
  await drain();
  if (world.isAsleep) {
    look(world, false);
    await world.clock.passTo(world.now);
  }
  look(world, true);
  world.settled();
}
