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
  // Where to begin looking, for each of as many equal parts of the sum: a few steps instead of a search through all.
  const starts = new Uint32Array(count);
  for (let part = 0, index = 0; part < count; part += 1) {
    while (cumulated[index]! <= (part / count) * sum) index += 1;
    starts[part] = index;
  }
  return () => {
    const share = random();
    let index = starts[Math.floor(share * count)]!;
    while (cumulated[index]! <= share * sum) index += 1;
    return index;
  };
}
