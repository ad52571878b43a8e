/**
 * One contender beside its own baseline, in a process of its own: both loops are compiled from text, so that neither
 * shares type feedback with the other, and they take turns, so that a busy machine disturbs both. Prints the medians.
 */
import { type ContenderName, contenderOf, type Entries } from '../contenders.ts';
import { createRandom, createZipf } from '../random.ts';
import { median } from '../statistics.ts';
import { BATCH, type Loop, loops, MANY_AT_ONCE, type PairPlan, type PairResult } from './pair.ts';

const AsyncFunction = (async () => {}).constructor as FunctionConstructor;

type Run = (cache: object, keys: readonly unknown[], from: number, to: number) => number | Promise<number>;

interface Runner {
  readonly cache: object;
  readonly run: Run;
  /** Reads in one turn. */
  reads: number;
  readonly times: number[];
}

const READS = 1 << 19;
const TURN_MS = 3;
const WARM_UPS = 6;
const FEWEST_READS = 50;
/** Makes each text another, so that no two are compiled as one. */
let compiled = 0;

const plan = JSON.parse(process.argv[2]!) as PairPlan;
console.log(JSON.stringify(await measure(plan)));
process.exit(0); // some of them keep timers

async function measure({ loop, contender, baseline, keys: count, rounds, order }: PairPlan): Promise<PairResult> {
  const entries = entriesOf(count);
  const wanted = wantedKeys(count, loop);
  const open = async (name: ContenderName, text: string): Promise<Runner> => ({
    cache: await contenderOf(name).open(entries),
    run: compile(text, loops[loop]),
    reads: 2000,
    times: [],
  });
  // Who is filled first lies closer together in memory.
  const [baselineText, contenderText] = [textOf(baseline, loop), textOf(contender, loop)];
  const inOrder = async (): Promise<readonly [Runner, Runner]> => {
    if (order % 2 === 0) return [await open(baseline, baselineText), await open(contender, contenderText)];
    const second = await open(contender, contenderText);
    return [await open(baseline, baselineText), second];
  };
  const [base, other] = await inOrder();
  for (const runner of [base, other]) {
    for (let turn = 0; turn < WARM_UPS; turn += 1) {
      const took = Math.max((await time(runner, wanted, 0)) * runner.reads, 0.01);
      const reads = Math.round((runner.reads * TURN_MS) / took);
      runner.reads = Math.max(FEWEST_READS, Math.min(wanted.length / 2, reads));
    }
  }
  globalThis.gc?.();
  const random = createRandom(order + 1);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const from = Math.floor((random() * wanted.length) / 2);
    const first = round % 2 === 0 ? base : other;
    const second = first === base ? other : base;
    for (const runner of [first, second]) runner.times.push(await time(runner, wanted, from));
    ratios.push(other.times.at(-1)! / base.times.at(-1)!);
  }
  const keysAtOnce = loop === 'many' ? BATCH : 1;
  const ns = (times: readonly number[]): number => (median(times) * 1e6) / keysAtOnce;
  return { ns: ns(other.times), baselineNs: ns(base.times), ratio: median(ratios) };
}

/** Milliseconds for one read. */
async function time({ cache, run, reads }: Runner, keys: readonly unknown[], from: number): Promise<number> {
  const startedAt = performance.now();
  const sum = run(cache, keys, from, from + reads);
  const checked = typeof sum === 'number' ? sum : await sum;
  const took = performance.now() - startedAt;
  if (!(checked > 0)) throw new Error(`expected a value for every key, got ${checked}`);
  return took / reads;
}

/** Rows as an application has them. */
function entriesOf(count: number): Entries {
  return Array.from({ length: count }, (_, index) => [
    keyOf(index),
    {
      id: index + 1,
      code: `CODE-${index}`,
      active: index % 7 !== 0,
      labels: { en: `Label ${index}` },
      tags: ['a', 'b'],
    },
  ]);
}

function keyOf(index: number): string {
  return `item:${index}`;
}

/** What is asked for, by Zipf's law; the popular ones lie anywhere. */
function wantedKeys(count: number, loop: Loop): readonly unknown[] {
  const random = createRandom(42);
  const draw = createZipf(count, random);
  const places = Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [places[index], places[other]] = [places[other]!, places[index]!];
  }
  // Other string objects than the caches hold, as keys are that come with a request; or only their numbers.
  const keys = Array.from({ length: count }, (_, index) => keyOf(index));
  const wanted = Array.from({ length: READS }, () => places[draw()]!);
  if (loop === 'made anew') return wanted;
  const all = wanted.map((index) => keys[index]!);
  if (loop !== 'many') return all;
  return Array.from({ length: Math.floor(READS / BATCH) }, (_, index) => all.slice(index * BATCH, (index + 1) * BATCH));
}

function textOf(name: ContenderName, loop: Loop): string {
  // A Map is read key by key.
  if (loop === 'many' && name !== 'Map') return MANY_AT_ONCE;
  const { read, readAsync } = contenderOf(name);
  const text = loop === 'awaited' ? (readAsync ?? read) : read;
  if (text === undefined) throw new Error(`${name} has no such read`);
  return text;
}

function compile(read: string, { body, isAsync }: (typeof loops)[Loop]): Run {
  const make = isAsync ? AsyncFunction : Function;
  const text = read === MANY_AT_ONCE ? read : body.replace('READ', read);
  compiled += 1;
  return new make('cache', 'keys', 'from', 'to', `// ${compiled}\nlet sum = 0;\n${text}\nreturn sum;`) as Run;
}
