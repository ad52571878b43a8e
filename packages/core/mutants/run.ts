/**
 * Seeds one fault after the other into a copy of core, and demands that the test named with it fails.
 *
 *     npm run mutants                       all faults
 *     npm run mutants -- --only 'the fence' those whose name, file or test has this text
 */
import { parseArgs } from 'node:util';
import { problemOf } from './check.ts';
import type { Fault } from './fault.ts';
import { FAULTS } from './faults.ts';
import { judge, unsound, type Verdict } from './judge.ts';
import { Workshop } from './workshop.ts';

const PROMISES = Array.from({ length: 14 }, (_, index) => index + 1);
const WORKSHOPS = 2;

const { only = '' } = parseArgs({ options: { only: { type: 'string' } } }).values;
const chosen = FAULTS.filter(({ name, file, caughtBy }) =>
  `${name}\n${file}\n${caughtBy.file}\n${caughtBy.title}`.includes(only),
);
const startedAt = performance.now();
const failures = [...misfits(), ...(await runAll())];
const seconds = Math.round((performance.now() - startedAt) / 1_000);

console.log(`\n${chosen.length} faults, ${chosen.length - failures.length} caught, in ${seconds} s`);
const counts = PROMISES.map((promise) => `${promise}: ${chosen.filter((fault) => fault.promise === promise).length}`);
console.log(`faults of each promise: ${counts.join(', ')}`);
for (const failure of failures) console.log(`\n${failure}`);
if (failures.length > 0 || chosen.length === 0) process.exitCode = 1;

function misfits(): string[] {
  return chosen.flatMap((fault) => {
    const problem = problemOf(fault);
    return problem === undefined ? [] : [`DOES NOT FIT: ${fault.name}\n  ${problem}`];
  });
}

async function runAll(): Promise<string[]> {
  const workshops = await Promise.all(Array.from({ length: WORKSHOPS }, () => Workshop.open()));
  try {
    const fitting = chosen.filter((fault) => problemOf(fault) === undefined);
    const broken = await unsound(
      workshops[0]!,
      fitting.map(({ caughtBy }) => caughtBy),
    );
    const isSound = ({ caughtBy }: Fault): boolean => !broken.includes(caughtBy);
    const queue = fitting.filter(isSound).values();
    const failures = fitting
      .filter((fault) => !isSound(fault))
      .map(({ name, caughtBy }) => `FAILS WITHOUT ANY FAULT: ${caughtBy.file}: ${caughtBy.title}\n  ${name}`);
    console.log('verdict   promise      ms  fault');
    await Promise.all(
      workshops.map(async (workshop) => {
        for (const fault of queue) {
          const begunAt = performance.now();
          const verdict = await judge(workshop, fault);
          console.log(row(fault, verdict, performance.now() - begunAt));
          if (verdict !== 'caught') failures.push(`${verdict.toUpperCase()}: ${fault.name}\n  ${where(fault)}`);
        }
      }),
    );
    return failures;
  } finally {
    await Promise.all(workshops.map((workshop) => workshop.close()));
  }
}

function row(fault: Fault, verdict: Verdict, ms: number): string {
  const { name, promise } = fault;
  const columns = [verdict.padEnd(8), String(promise).padStart(8), String(Math.round(ms)).padStart(7), ` ${name}`];
  return `${columns.join(' ')}\n${' '.repeat(27)}${where(fault)}`;
}

function where({ file, caughtBy }: Fault): string {
  return `in ${file}, by ${caughtBy.file}: ${caughtBy.title}`;
}
