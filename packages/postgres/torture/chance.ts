/** Chance that can be written down: one seed, one sequence of draws. */
import { VirtualClock } from 'evercache/testing';

export class Chance {
  readonly #clock: VirtualClock;

  constructor(seed: number) {
    this.#clock = new VirtualClock(seed);
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#clock.random() * (most - least + 1));
  }

  /** Once in so many times. */
  oneIn(times: number): boolean {
    return this.whole(1, times) === 1;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.whole(0, items.length - 1)]!;
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const rest = [...items];
    return items.map(() => rest.splice(this.whole(0, rest.length - 1), 1)[0]!);
  }

  /** Draws without end; of as many draws as there are cards each card comes once. */
  deck<Item>(cards: readonly Item[]): () => Item {
    let left: Item[] = [];
    return () => {
      if (left.length === 0) left = this.shuffled(cards);
      return left.pop()!;
    };
  }
}
