/**
 * What the caches save when an agent is loaded: time, and statements. On a real PostgreSQL of its own, behind a proxy
 * that counts what comes over the wire.
 */
import { startPrivatePostgres } from '../test/support/private-postgres.ts';
import { backgroundStatements, caseAtRate } from './agent-load/background.ts';
import { prepareData } from './agent-load/data.ts';
import {
  caseFromStart,
  caseWhenWarm,
  type StatementOptions,
  statementsFromStart,
  statementsWhenWarm,
} from './agent-load/statements.ts';
import { caseAtDelay, timePerLoad } from './agent-load/time-per-load.ts';
import type { Bench, BenchOptions, BenchReport, Measurement, Target } from './bench.ts';
import { versionOfPostgres, versionsOf } from './versions.ts';

const settings = {
  data: { agents: 1000, tools: 200, linksPerAgent: 10, users: 500, conversations: 1000 },
  /** Milliseconds added to each round trip. */
  delays: [0, 1, 5],
  rounds: 9,
  loadsPerRound: { cached: 20_000, uncached: 60, 'uncached, chat server': 30 },
  loads: 60_000,
  /** How many conversations share the loads from the start of a process. */
  conversationsFromStart: [100, 1000],
  /** Loads per second. */
  rates: [10, 10_000],
  /** Of the servers' own time: some of what they ask comes once in two minutes. */
  secondsOfBackground: 240,
  secondsBeforeBackground: 30,
  speedOfTime: 6,
};

type Settings = typeof settings;

const quickSettings: Settings = {
  ...settings,
  data: { agents: 100, tools: 40, linksPerAgent: 10, users: 40, conversations: 200 },
  rounds: 2,
  loadsPerRound: { cached: 200, uncached: 10, 'uncached, chat server': 10 },
  loads: 600,
  conversationsFromStart: [20],
  secondsOfBackground: 1,
  secondsBeforeBackground: 0,
};

export const agentLoad: Bench = {
  title: 'loading an agent with and without caches, on PostgreSQL: time per load, statements on the wire',
  // Here the baseline is ours, so what it takes without caches should be many times as much. The last is what caches ask
  // by themselves.
  better: ({ contender, metric, ratio }) => {
    if (contender === 'uncached' && ratio !== null) return 'higher';
    return contender === 'cached' && metric === 'statements' && ratio === null ? 'lower' : undefined;
  },
  run,
};

async function run({ quick, seconds, progress }: BenchOptions): Promise<BenchReport> {
  const plan: Settings = { ...(quick ? quickSettings : settings) };
  plan.secondsOfBackground = seconds ?? plan.secondsOfBackground;
  progress('starting PostgreSQL and filling it');
  const server = await startPrivatePostgres();
  try {
    const databaseUrl = await server.createDatabase();
    const conversations = await prepareData(databaseUrl, plan.data);
    const measurements = await measure({ databaseUrl, conversations }, plan, progress);
    return { settings: plan, versions: await versions(databaseUrl), measurements, targets: judge(measurements, plan) };
  } finally {
    await server.stop();
  }
}

type Data = Omit<StatementOptions, 'loads'>;

async function measure(data: Data, plan: Settings, progress: BenchOptions['progress']): Promise<Measurement[]> {
  const { loads, delays, rounds, loadsPerRound, rates, speedOfTime } = plan;
  const [secondsBefore, seconds] = [plan.secondsBeforeBackground, plan.secondsOfBackground];
  progress(`time per load, ${delays.join(', ')} ms from the database`);
  const times = await timePerLoad({ ...data, delays, rounds, loads: loadsPerRound });
  progress(`statements of ${loads} loads, everything in memory`);
  const warm = await statementsWhenWarm({ ...data, loads });
  progress(
    `background statements at ${rates.join(' and ')} loads/s, for ${seconds} s at ${speedOfTime} times the speed`,
  );
  progress(`meanwhile, statements of ${loads} loads from the start of a process`);
  // Both only count, and each on proxies of its own: neither minds that the other keeps the machine busy.
  const [fromStart, background] = await Promise.all([
    statementsFromStart({ ...data, loads }, plan.conversationsFromStart),
    backgroundStatements({ ...data, rates, secondsBefore, seconds, speedOfTime }),
  ]);
  return [...times, ...warm, ...fromStart, ...background];
}

function judge(measurements: readonly Measurement[], plan: Settings): Target[] {
  const find = (name: string, contender: string, metric: string): Measurement => {
    const found = measurements.find((row) => row.case === name && row.contender === contender && row.metric === metric);
    if (found === undefined) throw new Error(`nobody measured ${metric} of ${contender}: ${name}`);
    return found;
  };
  const shorter = (delay: number): number => find(caseAtDelay(delay), 'uncached', 'time per load').ratio ?? 0;
  const perLoad = find(caseWhenWarm(plan.loads, plan.data.conversations), 'cached', 'statements per load').value;
  const perMinute = plan.rates.map((rate) => find(caseAtRate(rate), 'cached', 'statements').value);
  return [
    {
      target: 'time per load, database 5 ms away: >= 100 times shorter',
      measured: `${shorter(5).toFixed(0)} times (0 ms away: ${shorter(0).toFixed(0)} times)`,
      met: shorter(5) >= 100,
    },
    { target: 'everything in memory: 0 statements per load', measured: `${perLoad}`, met: perLoad === 0 },
    {
      // A refresh that falls on the end of the observation is seen on one side alone.
      target: `background statements per minute: within 5 % of each other at ${plan.rates.join(' and ')} loads/s`,
      measured: perMinute.map((value) => value.toFixed(1)).join(' and '),
      met: Math.max(...perMinute) <= 1.05 * Math.min(...perMinute),
    },
    ...plan.conversationsFromStart.map((conversations) => {
      const name = caseFromStart(plan.loads, conversations);
      const fewer = find(name, 'uncached', 'statements').ratio ?? 0;
      return {
        target: `${name}: >= 1000 times fewer statements`,
        measured: `${fewer.toFixed(0)} times`,
        met: fewer >= 1000,
      };
    }),
  ];
}

async function versions(databaseUrl: string): Promise<Record<string, string>> {
  return {
    postgresql: await versionOfPostgres(databaseUrl),
    ...versionsOf(['evercache', '@evercache/postgres', '@evercache/chat-server', 'pg', 'ai', 'zod']),
  };
}
