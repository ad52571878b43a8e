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
  // Two processes differ for as long as they live, by how their memory lies: several of each kind.
  pairs: 5,
  // While a server answers its first thousands of requests its code is still being compiled.
  warmUp: { 'GET /v1/models': 5000, 'chat with a tool call': 400 },
  rounds: 4,
  requestsPerRound: { 'GET /v1/models': 800, 'chat with a tool call': 200 },
  lanes: 8,
};

type Settings = typeof settings;
type Case = keyof Settings['requestsPerRound'];

const quickSettings: Settings = {
  ...settings,
  data: { agents: 100, tools: 40, linksPerAgent: 10, users: 40, conversations: 100 },
  pairs: 1,
  warmUp: { 'GET /v1/models': 20, 'chat with a tool call': 20 },
  rounds: 2,
  requestsPerRound: { 'GET /v1/models': 20, 'chat with a tool call': 20 },
};

const KINDS: readonly ServerKind[] = ['caches on', 'caches off'];
const CASES = Object.keys(settings.requestsPerRound) as Case[];
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
  try {
    const databaseUrl = await postgres.createDatabase();
    const talks = await talksOf(databaseUrl, await prepareData(databaseUrl, plan.data));
    const pairs: ReadonlyMap<Case, Round[]>[] = [];
    for (let pair = 1; pair <= plan.pairs; pair += 1) {
      progress(`pair ${pair} of ${plan.pairs}`);
      pairs.push(await measurePair(databaseUrl, talks, plan));
    }
    const measurements = CASES.flatMap((name) =>
      summarize(
        name,
        pairs.map((pair) => pair.get(name)!),
      ),
    );
    return { settings: plan, versions: await versions(databaseUrl), measurements, targets: judge(measurements) };
  } finally {
    await postgres.stop();
  }
}

/** Microseconds of processor time that a request cost each kind of server. */
type Round = Record<ServerKind, number>;

async function measurePair(databaseUrl: string, talks: readonly Talk[], plan: Settings): Promise<Map<Case, Round[]>> {
  const servers = new Map<ServerKind, Server>();
  try {
    for (const kind of KINDS) servers.set(kind, await startServer({ kind, databaseUrl }));
    await assertEqualAnswers(servers, talks);
    const costs = new Map<Case, Round[]>();
    for (const name of CASES) costs.set(name, await measure(name, servers, talks, plan));
    return costs;
  } finally {
    for (const server of servers.values()) await server.stop();
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

const requests: Readonly<Record<Case, (server: Server, talk: Talk) => Promise<string>>> = {
  'GET /v1/models': (server, talk) => answerOf(server, talk, '/v1/models'),
  'chat with a tool call': (server, talk) =>
    answerOf(server, talk, '/v1/chat/completions', {
      model: talk.agentName,
      messages: [{ role: 'user', content: `call ${talk.toolName} {"id": "1"}` }],
    }),
};

async function answerOf(server: Server, { userId }: Talk, path: string, body?: object): Promise<string> {
  const authorization = `Bearer key-of-${userId}`;
  const answer = await fetch(
    `${server.address}${path}`,
    body === undefined
      ? { headers: { authorization } }
      : {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        },
  );
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: expected status 200, got ${answer.status} ${text}`);
  return text;
}

/** Without what is of one answer only. */
function essenceOf(answer: string): unknown {
  const { id, created, ...rest } = JSON.parse(answer) as { readonly id?: unknown; readonly created?: unknown };
  return rest;
}

/** Servers that answer differently must not be compared. Every talk once, so that instructions of users are in memory. */
async function assertEqualAnswers(servers: ReadonlyMap<ServerKind, Server>, talks: readonly Talk[]): Promise<void> {
  for (const [name, request] of Object.entries(requests)) {
    for (const talk of name === 'GET /v1/models' ? talks.slice(0, 10) : talks) {
      const [first, ...others] = await Promise.all([...servers.values()].map((server) => request(server, talk)));
      for (const other of others) deepStrictEqual(essenceOf(other), essenceOf(first!));
    }
  }
}

async function measure(
  name: Case,
  servers: ReadonlyMap<ServerKind, Server>,
  talks: readonly Talk[],
  { warmUp, rounds, requestsPerRound, lanes }: Settings,
): Promise<Round[]> {
  const draw = createZipf(talks.length, createRandom(5));
  const drawTalks = (count: number): Talk[] => Array.from({ length: count }, () => talks[draw()]!);
  const costOf = async (kind: ServerKind, asked: readonly Talk[]): Promise<number> => {
    const server = servers.get(kind)!;
    const before = await server.usedCpu();
    const queue = asked.values();
    const lane = async (): Promise<void> => {
      for (const talk of queue) await requests[name](server, talk);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return ((await server.usedCpu()) - before) / asked.length;
  };
  for (const kind of KINDS) await costOf(kind, drawTalks(warmUp[name]));
  const costs: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const cost = { 'caches on': 0, 'caches off': 0 };
    const asked = drawTalks(requestsPerRound[name]);
    // They take turns at going first, for what comes and goes on the machine.
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) cost[kind] = await costOf(kind, asked);
    costs.push(cost);
  }
  return costs;
}

/** Rounds of one pair are not independent of one another: each pair counts once. */
function summarize(name: Case, pairs: readonly Round[][]): Measurement[] {
  return KINDS.flatMap((kind) => {
    const overPairs = (figure: (round: Round) => number): number[] => pairs.map((rounds) => median(rounds.map(figure)));
    const cost = median(overPairs((round) => round[kind]));
    const ratios = overPairs((round) => round['caches off'] / round[kind]);
    const where = { case: name, contender: kind };
    const perSecond = { metric: 'requests per second of processor time', value: 1e6 / cost, unit: '1/s' };
    return [
      { ...where, ...perSecond, ratio: median(ratios), noise: noiseOfMedian(ratios) },
      { ...where, metric: 'processor time per request', value: cost, unit: 'µs', ratio: null },
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
