/**
 * `npm run bench`: runs all benches, or those that are named. `--json` prints one JSON object a line instead of tables,
 * `--quick` is a smoke run, `--large` takes the large sets too, `--seconds N` sets for how long the caches of agent-load
 * are watched, `--list` names the benches.
 * A run that is not quick saves `results/NAME.json`, with large sets `NAME-large.json`; with `--check` (`npm run
 * bench:check`) it is compared with what is saved there, instead.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';
import { agentLoad } from './agent-load.ts';
import type { Bench, BenchReport } from './bench.ts';
import { checkBench } from './check/check-bench.ts';
import { derive } from './derive.ts';
import { formatReport } from './format-report.ts';
import { http } from './http.ts';
import { memory } from './memory.ts';
import { reads } from './reads.ts';
import { refresh } from './refresh.ts';
import { resultNameOf } from './results.ts';
import { stampede } from './stampede.ts';

const benches: Readonly<Record<string, Bench>> = {
  reads,
  memory,
  stampede,
  refresh,
  'agent-load': agentLoad,
  derive,
  http,
};

try {
  await main();
} catch (error) {
  console.error(error instanceof TypeError ? error.message : error);
  process.exit(1); // and whatever part of the bench still runs ends with us
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      seconds: { type: 'string' },
    },
  });
  if (values.list) {
    for (const [name, { title }] of Object.entries(benches)) console.log(`${name}  ${title}`);
    return;
  }
  const seconds = readSeconds(values.seconds);
  const names = positionals.length > 0 ? positionals : Object.keys(benches);
  const unknown = names.find((name) => !Object.hasOwn(benches, name));
  if (unknown !== undefined) {
    throw new TypeError(`bench: expected one of ${Object.keys(benches).join(', ')}, got "${unknown}"`);
  }
  if (values.check && values.quick) throw new TypeError('--check: not with --quick, for its figures mean nothing');
  if (values.check && seconds !== undefined) {
    throw new TypeError('--check: not with --seconds, for what is compared has to be watched as long as it was');
  }
  for (const name of names) {
    const loadAtStart = loadavg();
    const progress = (text: string): void => console.error(`${name}: ${text}`);
    const options = { quick: values.quick, large: values.large, seconds, progress };
    if (values.check) {
      if (!(await checkBench(name, benches[name]!, options))) process.exitCode = 1;
      continue;
    }
    const report = await benches[name]!.run(options);
    if (values.json) for (const row of report.measurements) console.log(JSON.stringify({ bench: name, ...row }));
    else console.log(formatReport(name, report, values.quick));
    if (!values.quick) save(resultNameOf(name, benches[name]!, options), report, loadAtStart);
  }
}

function readSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 3600)) throw new TypeError(`--seconds: expected 1 to 3600, got "${text}"`);
  return seconds;
}

function save(name: string, { measurements, targets, settings, versions }: BenchReport, loadAtStart: number[]): void {
  const [cpu] = cpus();
  const result = {
    bench: name,
    date: new Date().toISOString(),
    machine: {
      cpu: cpu?.model ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
      // Above the number of cores, others were working, too.
      loadAverageAtStart: loadAtStart.map((load) => Math.round(load * 100) / 100),
    },
    runtime: { node: process.versions.node, v8: process.versions.v8 },
    versions,
    settings,
    targets,
    measurements,
  };
  const directory = new URL('./results/', import.meta.url);
  mkdirSync(directory, { recursive: true });
  writeFileSync(new URL(`${name}.json`, directory), `${JSON.stringify(result, null, 2)}\n`);
}
