/** `npm run explore -- [--histories N] [--seed S] [--path P]`: the long run, on as many processes as there are cores. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { addTo, explore, noOutcome, type Outcome, type Wish } from './explore.ts';
import { toReport } from './report.ts';

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '200000' },
    seed: { type: 'string' },
    path: { type: 'string' },
    part: { type: 'boolean', default: false },
  },
});
const histories = Number(values.histories);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
if (!(Number.isInteger(histories) && histories > 0 && Number.isInteger(seed))) {
  throw new TypeError('expected --histories and --seed to be whole numbers');
}

/** Each process draws from a seed of its own, which is what a failure names. */
async function inParts(): Promise<Outcome> {
  const parts = Math.min(availableParallelism(), histories);
  const sum = noOutcome();
  await Promise.all(
    Array.from({ length: parts }, async (_, index) => {
      const share = Math.floor(histories / parts) + (index < histories % parts ? 1 : 0);
      addTo(sum, await inProcess({ histories: share, seed: seed + index }));
    }),
  );
  return sum;
}

function inProcess({ histories, seed }: Wish): Promise<Outcome> {
  const args = ['--part', '--histories', String(histories), '--seed', String(seed)];
  const child = fork(import.meta.filename, args, { serialization: 'advanced' });
  return new Promise((resolve, reject) => {
    let outcome: Outcome | undefined;
    child.on('message', (message) => {
      outcome = message as Outcome;
    });
    child.on('error', reject);
    child.on('exit', (code) => (outcome ? resolve(outcome) : reject(new Error(`a part of it ended with ${code}`))));
  });
}

if (values.part) {
  const outcome = await explore({ histories, seed });
  process.send!(outcome, () => process.disconnect());
} else {
  const startedAt = performance.now();
  console.log(`seed ${seed}`);
  const outcome =
    values.path === undefined ? await inParts() : await explore({ histories: 1, seed, path: values.path });
  console.log(toReport(outcome, performance.now() - startedAt));
  process.exitCode = outcome.failure === undefined ? 0 : 1;
}
