/** Caches that are started and stopped all the time, at any moment of their lives: none may leave anything behind. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CheckedCache } from './checked-cache.ts';
import { CountingClock } from './counting-clock.ts';
import type { ReaderParts } from './reader.ts';
import { after, type Method, UnsteadySource } from './unsteady-source.ts';

/** How often the same cache is started and stopped before another takes its place, at most. */
const MOST_LIVES = 5;

/** One cache after another, over one source: what a cache leaves at its source or its clock is there for good. */
export class ShortLives {
  /** Starts and stops. */
  count = 0;
  readonly #parts: Omit<ReaderParts, 'checked'>;
  readonly #source: UnsteadySource;
  readonly #clock: CountingClock;

  constructor(methods: readonly Method[], parts: Omit<ReaderParts, 'checked'>) {
    this.#parts = parts;
    this.#source = new UnsteadySource(parts.truth, parts.random, methods);
    this.#clock = new CountingClock(parts.random);
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random } = this.#parts;
    const [source, clock] = [this.#source, this.#clock];
    while (!isOver()) {
      const checked = new CheckedCache({ name: 'short-lived', source, clock, ...this.#parts });
      for (let lives = random.whole(1, MOST_LIVES); lives > 0 && !isOver(); lives -= 1) await this.#live(checked);
    }
  }

  async #live({ cache }: CheckedCache): Promise<void> {
    const { random, faults, truth } = this.#parts;
    const starting = cache.start();
    if (random.chance(0.5)) await after(random.whole(0, 10));
    const reading = Promise.allSettled([cache.fetch(truth.someKey()), cache.fetchMany([truth.someKey()])]);
    if (random.chance(0.3)) await after(random.whole(0, 200));
    if (random.chance(0.3)) cache.snapshot();
    await cache.stop();
    this.count += 1;
    // What was waiting hears of it in this turn.
    await nextTurn();
    if (this.#clock.pending > 0) faults.note('a stopped cache has timers', `${this.#clock.pending}`);
    if (this.#source.watches > 0) faults.note('a stopped cache has a watch', `${this.#source.watches}`);
    if (cache.size > 0 || cache.get(truth.someKey()) !== undefined) faults.note('a stopped cache has values', '');
    await Promise.all([starting, reading]);
  }
}
