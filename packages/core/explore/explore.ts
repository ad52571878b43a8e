/** Draws histories, plays them, and tells what came of it. */
import fc from 'fast-check';
import { play } from './history.ts';
import { describeStep, type Step, steps } from './operations.ts';
import { type BrokenPromise, type Counts, noCounts, PROMISE_NUMBERS } from './promises.ts';
import { type Settings, settings } from './settings.ts';

export interface Wish {
  readonly histories: number;
  readonly seed: number;
  /** Of a failure that was printed: plays that history alone. */
  readonly path?: string | undefined;
}

export interface Outcome {
  histories: number;
  operations: number;
  readonly schedules: Set<number>;
  readonly counts: Counts;
  /** What was broken, shrunk, for a person. */
  failure: string | undefined;
}

export function noOutcome(): Outcome {
  return { histories: 0, operations: 0, schedules: new Set(), counts: noCounts(), failure: undefined };
}

/** What two explorations found together. */
export function addTo(sum: Outcome, part: Outcome): void {
  sum.histories += part.histories;
  sum.operations += part.operations;
  for (const hash of part.schedules) sum.schedules.add(hash);
  for (const number of PROMISE_NUMBERS) sum.counts[number] += part.counts[number];
  sum.failure ??= part.failure;
}

export async function explore({ histories, seed, path }: Wish): Promise<Outcome> {
  const outcome = noOutcome();
  const property = fc.asyncProperty(settings, steps, async (drawn, taken) => {
    const { hash, operations, broken } = await play(drawn, taken, outcome.counts);
    outcome.histories += 1;
    outcome.operations += operations;
    outcome.schedules.add(hash);
    if (broken !== undefined) throw broken;
  });
  const details = await fc.check(property, { seed, numRuns: histories, ...(path !== undefined && { path }) });
  if (details.failed && details.counterexample !== null) {
    const [drawn, taken] = details.counterexample;
    outcome.failure = await tellOf(drawn, taken, `--seed ${details.seed} --path ${details.counterexamplePath}`);
  }
  return outcome;
}

/** The shrunk history, step by step, with what happened at each. */
async function tellOf(drawn: Settings, taken: readonly Step[], replay: string): Promise<string> {
  const lines: string[] = [];
  const { broken } = await play(drawn, taken, noCounts(), (line) => lines.push(line));
  return [
    `${(broken as BrokenPromise | undefined)?.message ?? 'not seen again when it was played once more'}`,
    `replay: ${replay}`,
    `settings: ${JSON.stringify(drawn)}`,
    `steps: ${taken.length}`,
    ...taken.map((step) => `  ${describeStep(step, drawn.keys)}`),
    'what happened:',
    ...lines.map((line) => `  ${line}`),
  ].join('\n');
}
