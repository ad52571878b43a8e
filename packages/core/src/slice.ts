/** Long loops in short slices, so that nothing blocks the event loop. */

const SLICE_MS = 5;
/** Looking at the clock costs more than handling a small entry, and less than handling a large one. */
const STEPS_PER_LOOK = 16;
const LONG_STEPS_MS = 1;

/**
 * Tells a loop when to let others run: `if (slice.isOver()) await slice.next()`.
 *
 * The slices are about this thread, so they are measured by the real clock, not by the cache's.
 */
export class Slice {
  #stepsPerLook = STEPS_PER_LOOK;
  #stepsLeft = STEPS_PER_LOOK;
  #lookedAt = performance.now();
  #endsAt = this.#lookedAt + SLICE_MS;

  isOver(): boolean {
    this.#stepsLeft -= 1;
    return this.#stepsLeft === 0 && this.#look() > this.#endsAt;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#lookedAt = performance.now();
    this.#endsAt = this.#lookedAt + SLICE_MS;
  }

  /** What time is it? Decides when to look again. */
  #look(): number {
    const now = performance.now();
    const tookLong = now - this.#lookedAt > LONG_STEPS_MS;
    this.#stepsPerLook = tookLong ? 1 : Math.min(2 * this.#stepsPerLook, STEPS_PER_LOOK);
    this.#stepsLeft = this.#stepsPerLook;
    this.#lookedAt = now;
    return now;
  }
}
