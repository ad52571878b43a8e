/** Chance that can be written down: one seed, one sequence of draws. */
import { VirtualClock } from '../testing/index.ts';

export class Random {
  readonly #chance: VirtualClock;

  constructor(seed: number) {
    this.#chance = new VirtualClock(seed);
  }

  /** In [0, 1). */
  next(): number {
    return this.#chance.random();
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<I>(items: readonly I[]): I {
    return items[Math.floor(this.next() * items.length)]!;
  }

  /** One of the names, each as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Partial<Record<Name, number>>>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return entries.at(-1)![0];
  }
}
