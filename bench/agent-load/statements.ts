/** How many statements loads cost: from the start of a process, and once everything that is asked for is in memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measurement } from '../bench.ts';
import { countsBetween, type ProxyThread, startProxy, totalOf } from '../proxy-thread.ts';
import type { StatementCounts } from '../tcp-proxy.ts';
import type { ContenderName } from './contenders.ts';
import type { Conversation } from './data.ts';
import { type LoadProcess, startLoadProcess } from './load-process-client.ts';

export interface StatementOptions {
  readonly databaseUrl: string;
  readonly conversations: readonly Conversation[];
  readonly loads: number;
}

/** Loads under way at the same time. */
const LANES = 8;

/**
 * Processes that start with nothing, and what they asked up to the last of their loads: one without caches, and one
 * with caches for each of these numbers of conversations among which the loads are drawn.
 */
export async function statementsFromStart(options: StatementOptions, sizes: readonly number[]): Promise<Measurement[]> {
  const uncached = await countFromStart('uncached', options);
  const measurements: Measurement[] = [];
  for (const size of sizes) {
    const conversations = options.conversations.slice(0, size);
    const cached = await countFromStart('cached', { ...options, conversations });
    for (const [metric, count] of metrics) {
      const where = { case: caseFromStart(options.loads, size), metric, unit: 'statements' };
      measurements.push(
        { ...where, contender: 'cached', value: count(cached), ratio: 1 },
        { ...where, contender: 'uncached', value: count(uncached), ratio: count(uncached) / count(cached) },
      );
    }
  }
  return measurements;
}

export function caseFromStart(loads: number, conversations: number): string {
  return `${loads} loads from process start, ${conversations} conversations`;
}

const metrics: readonly (readonly [metric: string, count: (counts: StatementCounts) => number])[] = [
  ['statements', totalOf],
  ['statements for agents and tools', (counts) => totalOf(counts) - ofInstructions(counts)],
  ['statements for instructions of users', ofInstructions],
];

function ofInstructions(counts: StatementCounts): number {
  const about = Object.entries(counts).filter(([text]) => text.includes('user_agent_instructions'));
  return about.reduce((sum, [, count]) => sum + count, 0);
}

function countFromStart(contender: ContenderName, options: StatementOptions): Promise<StatementCounts> {
  return withServer(contender, options, async (server, proxy) => {
    await server.run({ kind: 'burst', loads: options.loads, lanes: LANES });
    return proxy.counts();
  });
}

/** A process whose caches hold every conversation: its statements while it loads, and in as long a time without. */
export function statementsWhenWarm(options: StatementOptions): Promise<Measurement[]> {
  const { conversations, loads } = options;
  return withServer('cached', options, async (server, proxy) => {
    await server.run({ kind: 'each' });
    const before = await proxy.counts();
    const { tookMs } = await server.run({ kind: 'burst', loads, lanes: LANES });
    const after = await proxy.counts();
    await sleep(tookMs);
    const loading = totalOf(countsBetween(before, after));
    const idle = totalOf(countsBetween(after, await proxy.counts()));
    const where = { case: caseWhenWarm(loads, conversations.length), contender: 'cached', ratio: null };
    return [
      { ...where, metric: 'statements during the loads', value: loading, unit: 'statements' },
      { ...where, metric: 'statements in as long an idle time', value: idle, unit: 'statements' },
      { ...where, metric: 'statements per load', value: (loading - idle) / loads, unit: 'statements' },
    ];
  });
}

export function caseWhenWarm(loads: number, conversations: number): string {
  return `${loads} loads, all ${conversations} conversations in memory`;
}

async function withServer<R>(
  contender: ContenderName,
  { databaseUrl, conversations }: StatementOptions,
  work: (server: LoadProcess, proxy: ProxyThread) => Promise<R>,
): Promise<R> {
  const proxy = await startProxy(databaseUrl);
  try {
    const server = await startLoadProcess({ contender, databaseUrl: proxy.url, conversations });
    try {
      return await work(server, proxy);
    } finally {
      await server.stop();
    }
  } finally {
    await proxy.stop();
  }
}
