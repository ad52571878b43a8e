/**
 * What it costs to have the agent made anew for each request out of cached rows, beside an agent that was built once and
 * for all. On a real PostgreSQL, with the chat server's caches and its offline model.
 */

import { type AgentServices, compileAgent } from '../apps/chat-server/src/agents/compile-agent.ts';
import { createAgentLoader } from '../apps/chat-server/src/agents/load-agent-executor.ts';
import { createModelFactory } from '../apps/chat-server/src/agents/model.ts';
import { type Caches, createCaches } from '../apps/chat-server/src/caches.ts';
import { openDatabase } from '../apps/chat-server/src/database.ts';
import { silentLog } from '../apps/chat-server/src/log.ts';
import { startPrivatePostgres } from '../test/support/private-postgres.ts';
import { prepareData } from './agent-load/data.ts';
import type { Bench, BenchOptions, BenchReport } from './bench.ts';
import { ours } from './check/better.ts';
import { median, noiseOfMedian } from './statistics.ts';
import { versionsOf } from './versions.ts';

const settings = {
  data: { agents: 20, tools: 60, linksPerAgent: 50, users: 10, conversations: 20 },
  rounds: 41,
  callsPerRound: 20,
};

const quickSettings: typeof settings = { ...settings, rounds: 3, callsPerRound: 3 };

export const derive: Bench = {
  title: 'an agent with 50 tools, loaded for each request out of cached rows, beside one that was built once',
  better: ours(/^loaded each time$/),
  run,
};

type Call = () => Promise<unknown>;

async function run({ quick, progress }: BenchOptions): Promise<BenchReport> {
  const plan = quick ? quickSettings : settings;
  progress('starting PostgreSQL and filling it');
  const postgres = await startPrivatePostgres();
  try {
    const databaseUrl = await postgres.createDatabase();
    const [conversation] = await prepareData(databaseUrl, plan.data);
    const database = await openDatabase({ databaseUrl, dataDir: '' });
    const caches = createCaches(database);
    await caches.registry.startAll();
    const services: AgentServices = { database, log: silentLog, createModel: createModelFactory() };
    const { loadAgentExecutor } = createAgentLoader(caches, services);
    const { userId, sessionId, agentName } = conversation!;
    const prebuilt = await build(caches, services, agentName);
    const options = { userId, sessionId, appendix: [] };
    const prompt = 'What can you do?';
    progress(`${plan.rounds} rounds`);
    const times = await measure(
      {
        'built once': () => prebuilt.generate({ prompt, options }),
        'loaded each time': async () =>
          (await loadAgentExecutor({ userId, sessionId, agentName })).generate({ prompt }),
      },
      plan,
    );
    await caches.registry.stopAll();
    await database.close();
    return report(times, plan);
  } finally {
    await postgres.stop();
  }
}

async function build({ agents, tools }: Caches, services: AgentServices, agentName: string) {
  const configuration = (await agents.fetch(agentName))!;
  const rows = (await tools.fetch(configuration.id))!;
  if (rows.length !== settings.data.linksPerAgent) throw new Error(`expected 50 tools, got ${rows.length}`);
  return compileAgent(configuration, rows, services);
}

/** Milliseconds of each call, by round. They take turns, so that a busy machine disturbs both. */
async function measure<Name extends string>(
  calls: Readonly<Record<Name, Call>>,
  { rounds, callsPerRound }: typeof settings,
): Promise<Map<Name, number[]>> {
  const names = Object.keys(calls) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  // The first rounds warm up.
  const warmUps = Math.ceil(rounds / 4);
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const startedAt = performance.now();
      for (let call = 0; call < callsPerRound; call += 1) await calls[name]();
      if (round >= 0) times.get(name)!.push((performance.now() - startedAt) / callsPerRound);
    }
  }
  return times;
}

function report(times: ReadonlyMap<string, readonly number[]>, plan: typeof settings): BenchReport {
  const base = times.get('built once')!;
  const ratiosOf = (took: readonly number[]): number[] => took.map((time, round) => time / base[round]!);
  const ratio = median(ratiosOf(times.get('loaded each time')!));
  return {
    settings: plan,
    versions: versionsOf(['evercache', '@evercache/chat-server', 'ai', 'zod']),
    measurements: [...times].map(([contender, took]) => ({
      case: 'an agent with 50 tools',
      contender,
      metric: 'time per answer',
      value: median(took) * 1000,
      unit: 'µs',
      ratio: median(ratiosOf(took)),
      noise: noiseOfMedian(ratiosOf(took)),
    })),
    targets: [
      {
        target: 'loaded each time, rows unchanged: <= 1.5 times an agent built once',
        measured: `${ratio.toFixed(2)} times`,
        met: ratio <= 1.5,
      },
    ],
  };
}
