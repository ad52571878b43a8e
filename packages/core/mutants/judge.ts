/** Builds a fault in, runs the test that is named to catch it, and says whether it did. */
import { type Fault, type NamedTest, titlePattern } from './fault.ts';
import type { Ending, Workshop } from './workshop.ts';

/** In which the tests of one fault have to end. */
const TIMEOUT_MS = 60_000;

/**
 * `caught`: the test failed. `survived`: it passed. `hung`: it came to no end, which is not expected of this fault.
 * `not run`: there is no such test, or the faulty source cannot even be loaded.
 */
export type Verdict = 'caught' | 'survived' | 'hung' | 'not run';

export async function judge(workshop: Workshop, fault: Fault): Promise<Verdict> {
  const options = { timeoutMs: TIMEOUT_MS, toFirstFailure: true };
  const endings = await workshop.withFault(fault, () => workshop.run([fault.caughtBy], options));
  const outcomes = endings?.filter((ending) => isOf(ending, fault.caughtBy)).map(({ outcome }) => outcome) ?? ['hung'];
  if (outcomes.length === 0) return 'not run';
  if (outcomes.includes('failed')) return 'caught';
  if (outcomes.includes('hung')) return fault.hangs ? 'caught' : 'hung';
  return 'survived';
}

/** The tests that do not pass without any fault, or do not exist. */
export async function unsound(workshop: Workshop, tests: readonly NamedTest[]): Promise<NamedTest[]> {
  if (tests.length === 0) return [];
  const endings = (await workshop.run(tests, { timeoutMs: 5 * TIMEOUT_MS, toFirstFailure: false })) ?? [];
  return tests.filter((test) => {
    const own = endings.filter((ending) => isOf(ending, test));
    return own.length === 0 || own.some(({ outcome }) => outcome !== 'passed');
  });
}

function isOf(ending: Ending, { file, title }: NamedTest): boolean {
  return ending.file === file && new RegExp(`^${titlePattern(title)}$`).test(ending.title);
}
