/** Runs a bench anew and says what has become worse than its committed results. */
import type { Bench, BenchOptions } from '../bench.ts';
import { readResult, resultNameOf } from '../results.ts';
import { evercache } from './better.ts';
import { compare, describeWorse, type Judgement, worseInBoth } from './compare.ts';

/** Answers whether nothing has. What seems worse is measured twice, for bad luck seldom strikes the same figure again. */
export async function checkBench(name: string, bench: Bench, options: BenchOptions): Promise<boolean> {
  const saved = resultNameOf(name, bench, options);
  const result = readResult(saved);
  if (result === undefined) {
    console.log(`${name}: no results/${saved}.json to compare with; npm run bench saves it`);
    return false;
  }
  const judge = async (): Promise<Judgement[]> => {
    const { measurements } = await bench.run(options);
    return compare({ committed: result.measurements, measured: measurements }, bench.better ?? evercache);
  };
  const judged = await judge();
  if (judged.length === 0) {
    console.log(`${name}: the committed results have no figure of ours`);
    return false;
  }
  let worse = judged.filter(({ isWorse }) => isWorse);
  if (worse.length > 0) {
    options.progress(`${worse.length} of ${judged.length} figures seem worse: measuring again`);
    worse = worseInBoth(worse, await judge());
  }
  for (const judgement of worse) console.log(describeWorse(name, judgement));
  console.log(`${name}: ${judged.length} figures of ours, ${worse.length} worse than committed beyond the noise`);
  return worse.length === 0;
}
