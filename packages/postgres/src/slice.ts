/** Long loops in short slices, so that nothing blocks the event loop: `if (slice.isOver()) await slice.next()`. */
import { setImmediate as nextTurn } from 'node:timers/promises';

const SLICE_MS = 5;
/** Looking at the clock costs more than handling an entry. */
const STEPS_PER_LOOK = 32;

export class Slice {
  #steps = 0;
  #endsAt: number = performance.now() + SLICE_MS;

  isOver(): boolean {
    this.#steps += 1;
    return this.#steps % STEPS_PER_LOOK === 0 && performance.now() > this.#endsAt;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#endsAt = performance.now() + SLICE_MS;
  }
}
