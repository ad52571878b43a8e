/**
 * What the caches save a whole server: requests per second of its own processor time, with caches and without, on a
 * real PostgreSQL. The load comes from this process, which is not measured.
 */
import { deepStrictEqual } from 'node:assert';
import pg from 'pg';
import { startPrivatePostgres } from '../test/support/private-postgres.ts';
import { type Conversation, prepareData } from './agent-load/data.ts';
import type { Bench, BenchOptions, BenchReport, Measurement } from './bench.ts';
import { ours } from './check/better.ts';
import { type Server, startServer } from './http/server-client.ts';
import type { ServerKind } from './http/server-process.ts';
import { createRandom, createZipf } from './random.ts';
import { median, noiseOfMedian } from './statistics.ts';
import { versionOfPostgres, versionsOf } from './versions.ts';

const settings = {
  data: { agents: 1000, tools: 200, linksPerAgent: 10, users: 500, conversations: 1000 },
  rounds: 7,
  requestsPerRound: { 'GET /v1/models': 600, 'chat with a tool call': 200 },
  lanes: 8,
};

type Settings = typeof settings;
type Case = keyof Settings['requestsPerRound'];

const quickSettings: Settings = {
  ...settings,
  data: { agents: 100, tools: 40, linksPerAgent: 10, users: 40, conversations: 100 },
  rounds: 2,
  requestsPerRound: { 'GET /v1/models': 20, 'chat with a tool call': 20 },
};

const KINDS: readonly ServerKind[] = ['caches on', 'caches off'];
const TARGETS: Readonly<Record<Case, number>> = { 'GET /v1/models': 5, 'chat with a tool call': 2 };

export const http: Bench = {
  title: 'the chat server with its caches and without: requests per second of its processor time',
  better: ours(/^caches on$/),
  run,
};

/** A conversation with what is said in it: a line that makes the offline model call one of the agent's tools. */
type Talk = Conversation & { readonly toolName: string };

async function run({ quick, progress }: BenchOptions): Promise<BenchReport> {
  const plan = quick ? quickSettings : settings;
  progress('starting PostgreSQL and filling it');
  const postgres = await startPrivatePostgres();
  const servers = new Map<ServerKind, Server>();
  try {
    const databaseUrl = await postgres.createDatabase();
    const talks = await talksOf(databaseUrl, await prepareData(databaseUrl, plan.data));
    for (const kind of KINDS) servers.set(kind, await startServer({ kind, databaseUrl }));
    progress('comparing answers');
    await assertEqualAnswers(servers, talks);
    const measurements: Measurement[] = [];
    for (const name of Object.keys(plan.requestsPerRound) as Case[]) {
      progress(`${name}: ${plan.rounds} rounds`);
      measurements.push(...(await measure(name, servers, talks, plan)));
    }
    return { settings: plan, versions: await versions(databaseUrl), measurements, targets: judge(measurements) };
  } finally {
    for (const server of servers.values()) await server.stop();
    await postgres.stop();
  }
}

/** Those whose agent has a tool that can be called without a database. */
async function talksOf(databaseUrl: string, conversations: readonly Conversation[]): Promise<Talk[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ agent: string; tool: string }>(
    `select agent.agent_name as agent, min(tool.name) as tool
     from agent_configurations as agent
     join agent_tools as link on link.agent_id = agent.id
     join tools as tool on tool.id = link.tool_id and tool.kind = 'static'
     group by agent.agent_name`,
  );
  await client.end();
  const toolOf = new Map(rows.map(({ agent, tool }) => [agent, tool]));
  return conversations.flatMap((conversation) => {
    const toolName = toolOf.get(conversation.agentName);
    return toolName === undefined ? [] : [{ ...conversation, toolName }];
  });
}

const requests: Readonly<Record<Case, (server: Server, talk: Talk) => Promise<unknown>>> = {
  'GET /v1/models': (server, talk) => answerOf(server, talk, '/v1/models'),
  'chat with a tool call': async (server, talk) => {
    const { choices } = (await answerOf(server, talk, '/v1/chat/completions', {
      model: talk.agentName,
      messages: [{ role: 'user', content: `call ${talk.toolName} {"id": "1"}` }],
    })) as { choices: unknown };
    return choices; // the rest of it has an id and a time
  },
};

async function answerOf(server: Server, { userId }: Talk, path: string, body?: object): Promise<unknown> {
  const headers = { authorization: `Bearer key-of-${userId}`, 'content-type': 'application/json' };
  const answer = await fetch(`${server.address}${path}`, {
    headers,
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: expected status 200, got ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** Servers that answer differently must not be compared. Every talk once, so that instructions of users are in memory. */
async function assertEqualAnswers(servers: ReadonlyMap<ServerKind, Server>, talks: readonly Talk[]): Promise<void> {
  for (const [name, request] of Object.entries(requests)) {
    for (const talk of name === 'GET /v1/models' ? talks.slice(0, 10) : talks) {
      const [first, ...others] = await Promise.all([...servers.values()].map((server) => request(server, talk)));
      for (const other of others) deepStrictEqual(other, first);
    }
  }
}

async function measure(
  name: Case,
  servers: ReadonlyMap<ServerKind, Server>,
  talks: readonly Talk[],
  { rounds, requestsPerRound, lanes }: Settings,
): Promise<Measurement[]> {
  const draw = createZipf(talks.length, createRandom(5));
  const costs = new Map<ServerKind, number[]>(KINDS.map((kind) => [kind, []]));
  // The first round warms up. They take turns at going first, for what comes and goes on the machine.
  for (let round = 0; round <= rounds; round += 1) {
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
      const server = servers.get(kind)!;
      const asked = Array.from({ length: requestsPerRound[name] }, () => talks[draw()]!);
      const before = await server.usedCpu();
      const queue = asked.values();
      const lane = async (): Promise<void> => {
        for (const talk of queue) await requests[name](server, talk);
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      if (round > 0) costs.get(kind)!.push(((await server.usedCpu()) - before) / asked.length);
    }
  }
  const off = costs.get('caches off')!;
  return KINDS.flatMap((kind) => {
    const cost = costs.get(kind)!;
    const ratios = cost.map((value, round) => off[round]! / value);
    const [ratio, noise] = [median(ratios), noiseOfMedian(ratios)];
    const where = { case: name, contender: kind };
    return [
      {
        ...where,
        metric: 'requests per second of processor time',
        value: 1e6 / median(cost),
        unit: '1/s',
        ratio,
        noise,
      },
      { ...where, metric: 'processor time per request', value: median(cost), unit: 'µs', ratio: null },
    ];
  });
}

function judge(measurements: readonly Measurement[]): BenchReport['targets'] {
  return measurements
    .filter(({ contender, ratio }) => contender === 'caches on' && ratio !== null)
    .map(({ case: name, ratio }) => ({
      target: `${name}: >= ${TARGETS[name as Case]} times the requests per second of processor time`,
      measured: `${ratio!.toFixed(2)} times`,
      met: ratio! >= TARGETS[name as Case],
    }));
}

async function versions(databaseUrl: string): Promise<Record<string, string>> {
  return {
    postgresql: await versionOfPostgres(databaseUrl),
    ...versionsOf(['evercache', '@evercache/postgres', '@evercache/chat-server', 'fastify', 'pg', 'ai', 'zod']),
  };
}
