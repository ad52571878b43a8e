/** Long loops in short slices, so that nothing blocks the event loop. */

const SLICE_MS = 5;
/** Looking at the clock costs more than handling an entry. */
const STEPS_PER_LOOK = 16;

/**
 * Tells a loop when to let others run: `if (slice.isOver()) await slice.next()`.
 *
 * The slices are about this thread, so they are measured by the real clock, not by the cache's.
 */
export class Slice {
  #steps = 0;
  #endsAt = performance.now() + SLICE_MS;

  isOver(): boolean {
    this.#steps += 1;
    return this.#steps % STEPS_PER_LOOK === 0 && performance.now() > this.#endsAt;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#endsAt = performance.now() + SLICE_MS;
  }
}
