/** Lets things come to rest, and looks at what they are then. */
import { look } from './check-memory.ts';
import { AFTER_WATCH } from './check-soon.ts';
import { drain } from './clock.ts';
import type { World } from './world.ts';

/** Nothing moves any more when this resolves. */
export async function settle(world: World): Promise<void> {
  world.step += 1;
  world.happenings += 1;
  await drain();
  look(world, true);
  world.settled();
}

/** Gives a turn to one of those who wait for it. Returns false where nobody does. */
export function giveTurn(world: World, pick: number): boolean {
  const standing = world.wild.standingWatches;
  const label = world.turns.release(pick);
  world.tell?.(`    turn: ${label}`);
  // A watch that stands nudges.
  if (label?.startsWith('watch')) {
    world.nudged();
    if (world.wild.standingWatches > standing) world.soon.ring(world, AFTER_WATCH);
  }
  return label !== undefined;
}

/** Gives everybody his turn, those included who come meanwhile, one at a time. */
export async function everybody(world: World): Promise<void> {
  await drain();
  while (giveTurn(world, 0)) await settle(world);
}
