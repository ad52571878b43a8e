/** Chance that is the same in every run. */
import { VirtualClock } from 'evercache/testing';

type Random = () => number;

export function createRandom(seed: number): Random {
  const chance = new VirtualClock(seed);
  return () => chance.random();
}

/** Draws from 0 to `count` - 1 by Zipf's law (exponent 1): the first comes twice as often as the second, and so on. */
export function createZipf(count: number, random: Random): () => number {
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    sum += 1 / (index + 1);
    cumulated[index] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulated[middle]! <= wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
