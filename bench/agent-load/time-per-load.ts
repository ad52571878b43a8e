/** How long one load takes, one after the other, at several distances from the database; caches hold everything. */
import pg from 'pg';
import type { Measurement } from '../bench.ts';
import { inTurns } from '../in-turns.ts';
import { type ProxyThread, startProxy } from '../proxy-thread.ts';
import { createRandom, createZipf } from '../random.ts';
import { median, noiseOfMedian } from '../statistics.ts';
import { assertEqualAgents } from './assert-equal-agents.ts';
import { type Contender, type ContenderName, contenderNames, openContender } from './contenders.ts';
import type { Conversation } from './data.ts';

interface TimeOptions {
  readonly databaseUrl: string;
  readonly conversations: readonly Conversation[];
  /** Added to each round trip, in milliseconds, one case each. */
  readonly delays: readonly number[];
  readonly rounds: number;
  /** Loads of each contender in each round. */
  readonly loads: Readonly<Record<ContenderName, number>>;
}

export async function timePerLoad(options: TimeOptions): Promise<Measurement[]> {
  const { databaseUrl, conversations, delays } = options;
  const proxy = await startProxy(databaseUrl);
  const contenders = new Map<ContenderName, Contender>();
  try {
    for (const name of contenderNames) contenders.set(name, await openContender(name, proxy.url));
    await assertEqualAgents(contenders, sample(conversations));
    // A user's instructions are read when they are first asked for: that is measured elsewhere, as statements.
    for (const conversation of conversations) await contenders.get('cached')?.load(conversation);
    const measurements: Measurement[] = [];
    for (const delay of delays) {
      await proxy.setDelay(delay);
      measurements.push(await measureRoundTrip(proxy, delay), ...(await measureAt(delay, contenders, options)));
    }
    return measurements;
  } finally {
    await proxy.setDelay(0);
    for (const contender of contenders.values()) await contender.close();
    await proxy.stop();
  }
}

/** The first ones are the popular agents; the others are spread over the rest. */
function sample(conversations: readonly Conversation[]): Conversation[] {
  const step = Math.ceil(conversations.length / 40);
  return conversations.filter((_, index) => index < 10 || index % step === 0);
}

async function measureAt(
  delay: number,
  contenders: ReadonlyMap<ContenderName, Contender>,
  { conversations, rounds, loads }: TimeOptions,
): Promise<Measurement[]> {
  const draw = createZipf(conversations.length, createRandom(3));
  const times = new Map<ContenderName, number[]>(contenderNames.map((name) => [name, []]));
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of inTurns(contenderNames, round)) {
      const trace = Array.from({ length: loads[name] }, () => conversations[draw()]!);
      const took = await timeLoads(contenders.get(name)!, trace);
      if (round > 0) times.get(name)!.push(took);
    }
  }
  const cached = times.get('cached')!;
  return contenderNames.map((name) => {
    const took = times.get(name)!;
    const ratios = took.map((time, round) => time / cached[round]!);
    return {
      case: caseAtDelay(delay),
      contender: name,
      metric: 'time per load',
      value: median(took) * 1000,
      unit: 'µs',
      ratio: median(ratios),
      noise: noiseOfMedian(ratios),
    };
  });
}

/** Milliseconds per load. */
async function timeLoads(contender: Contender, trace: readonly Conversation[]): Promise<number> {
  const started = performance.now();
  for (const conversation of trace) await contender.load(conversation);
  return (performance.now() - started) / trace.length;
}

/** The least that anything pays which asks the database. */
async function measureRoundTrip(proxy: ProxyThread, delay: number): Promise<Measurement> {
  const client = new pg.Client({ connectionString: proxy.url });
  await client.connect();
  const times: number[] = [];
  for (let index = 0; index < 100; index += 1) {
    const started = performance.now();
    await client.query({ name: 'one', text: 'select 1' });
    times.push(performance.now() - started);
  }
  await client.end();
  const value = median(times) * 1000;
  return { case: caseAtDelay(delay), contender: 'select 1', metric: 'round trip', value, unit: 'µs', ratio: null };
}

export function caseAtDelay(delay: number): string {
  return `database ${delay} ms away`;
}
