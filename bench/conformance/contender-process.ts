/**
 * The process of one contender: runs the probes it is told to, one after the other, and sends what each found. Runs
 * in fake time. What it cannot survive, its parent sees.
 *
 * `node contender-process.ts CONTENDER PROBE...`
 */
import { loadContender } from './contenders.ts';
import { settle, time } from './fake-time.ts';
import { Lab, NotApplicable, type Probe } from './probe.ts';
import { probeGroups } from './probe-groups.ts';
import type { Message, Result } from './result.ts';

time.install();
const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));
process.on('uncaughtException', (error) => unhandled.push(error));

const [name, ...ids] = process.argv.slice(2);
const contender = await loadContender(name!);
const probes = probeGroups.flatMap((group) => group.probes).filter(({ id }) => ids.includes(id));
for (const probe of probes) {
  tell({ begun: probe.id });
  tell({ ended: probe.id, result: await run(probe) });
}
// Whatever still runs is none of ours.
process.exit();

async function run(probe: Probe): Promise<Result> {
  unhandled.length = 0;
  const lab = new Lab(contender);
  const result = await find(probe, lab);
  await lab.close();
  await settle();
  if (unhandled.length === 0 || result.verdict === 'n/a') return result;
  const [error] = unhandled;
  const message = error instanceof Error ? error.message : String(error);
  const ending = `an error that nobody handles (${message}), which ends a process`;
  return { verdict: 'fail', observed: `${result.observed}; ${ending}` };
}

async function find(probe: Probe, lab: Lab): Promise<Result> {
  try {
    const { pass, observed } = await probe.run(lab);
    return { verdict: pass ? 'pass' : 'fail', observed };
  } catch (error) {
    if (error instanceof NotApplicable) return { verdict: 'n/a', observed: error.message };
    return { verdict: 'fail', observed: `the probe ends with ${String(error)}` };
  }
}

function tell(message: Message): void {
  process.send?.(message);
}
