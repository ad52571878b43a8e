/**
 * Makes any number of believable agents, tools and links, for tests and benches: the same rows for the same options,
 * and rows that the caches accept. Written in a few big statements.
 */
import type { Database, ScriptConnection } from './database.ts';

export interface GenerateOptions {
  readonly agents: number;
  readonly tools: number;
  /** Tools of each agent; every hundredth agent has none. At most `tools`. */
  readonly linksPerAgent: number;
  /** Another seed, other rows. Default 1. */
  readonly seed?: number | undefined;
}

export interface Generated {
  /** Names of the agents, in order. All are public. */
  readonly agentNames: readonly string[];
  readonly tools: number;
  readonly links: number;
}

const SUBJECTS = [
  'invoice',
  'order',
  'ticket',
  'contract',
  'meeting',
  'shipment',
  'customer',
  'employee',
  'account',
  'campaign',
];
const VERBS = ['get', 'list', 'search', 'count', 'compare', 'check'];
const ROLES = ['analyst', 'assistant', 'coach', 'reviewer', 'planner', 'concierge'];
const ROWS_PER_STATEMENT = 5000;

/** Writes the rows. A database that has them already (same seed) is an error of the database: names are unique. */
export async function generate(database: Database, options: GenerateOptions): Promise<Generated> {
  const { agents, tools, linksPerAgent, seed = 1 } = options;
  if (linksPerAgent > tools)
    throw new TypeError(`generate: expected linksPerAgent <= tools (${tools}), got ${linksPerAgent}`);
  const random = createRandom(seed);
  const toolRows = Array.from({ length: tools }, (_, index) => makeTool(index, seed, random));
  const agentRows = Array.from({ length: agents }, (_, index) => makeAgent(index, seed, random));
  const linkRows = agentRows.flatMap((agent, index) => {
    const count = index % 100 === 99 ? 0 : linksPerAgent;
    const first = Math.floor(random() * tools);
    return Array.from({ length: count }, (_, position) => {
      const tool = toolRows[(first + position) % tools]!;
      const override = random() < 0.1 ? overrideFor(tool) : {};
      return { agent_name: agent.agent_name, tool_name: tool.name, position, config_override: override };
    });
  });
  await database.script(async (connection) => {
    await insert(
      connection,
      toolRows,
      `
      insert into tools (name, kind, description, config, args_schema)
      select name, kind, description, config, args_schema from jsonb_to_recordset($1::jsonb)
        as row (name text, kind text, description text, config jsonb, args_schema jsonb)`,
    );
    await insert(
      connection,
      agentRows,
      `
      insert into agent_configurations (agent_name, description, instructions, llm_config, is_public)
      select agent_name, description, instructions, llm_config, true from jsonb_to_recordset($1::jsonb)
        as row (agent_name text, description text, instructions text, llm_config jsonb)`,
    );
    await insert(
      connection,
      linkRows,
      `
      insert into agent_tools (agent_id, tool_id, position, config_override)
      select agent.id, tool.id, position, config_override from jsonb_to_recordset($1::jsonb)
        as row (agent_name text, tool_name text, position integer, config_override jsonb)
      join agent_configurations as agent using (agent_name)
      join tools as tool on tool.name = row.tool_name and not tool.is_deleted`,
    );
    for (const table of ['tools', 'agent_configurations', 'agent_tools']) await connection.query(`analyze ${table}`);
  });
  return { agentNames: agentRows.map(({ agent_name }) => agent_name), tools: toolRows.length, links: linkRows.length };
}

type Random = () => number;
type ToolRow = ReturnType<typeof makeTool>;

function makeTool(index: number, seed: number, random: Random) {
  const verb = pick(VERBS, random);
  const subject = pick(SUBJECTS, random);
  const common = {
    name: `${verb}_${subject}_${seed}_${index}`,
    description: `Use this to ${verb} ${subject}s of region ${index % 50}. Answers what is known today.`,
  };
  if (random() < 0.25) {
    const config = {
      statement:
        'select id, title, status from demo_tasks where user_id = $1 and ($2 is null or status = $2) order by id',
      params: [
        { from: 'ctx.userId', type: 'text' },
        { from: 'args.status', type: 'text' },
      ],
      maxRows: 10 + Math.floor(random() * 90),
    };
    const properties = { status: { type: 'string', enum: ['open', 'done'], description: 'Only in this state' } };
    return { ...common, kind: 'sql', config, args_schema: { type: 'object', properties, additionalProperties: false } };
  }
  const value = { subject, region: index % 50, amount: Math.floor(random() * 100_000), checked: random() < 0.5 };
  const properties = {
    id: { type: 'string', minLength: 1, maxLength: 64, description: `Number of the ${subject}` },
    from: { type: 'string', maxLength: 10, description: 'First day, as YYYY-MM-DD' },
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    sort: { type: 'string', enum: ['newest', 'oldest', 'amount'] },
  };
  return {
    ...common,
    kind: 'static',
    config: { value },
    args_schema: { type: 'object', properties, required: ['id'], additionalProperties: false },
  };
}

function makeAgent(index: number, seed: number, random: Random) {
  const subject = pick(SUBJECTS, random);
  const role = pick(ROLES, random);
  return {
    agent_name: `${subject}_${role}_${seed}_${index}`,
    description: `Works on ${subject}s.`,
    instructions: `You are the ${subject} ${role} of branch ${index}. Use your tools before you answer, and say what you do not know.`,
    llm_config: { temperature: Math.round(random() * 10) / 10, max_tokens: 500 + Math.floor(random() * 1500) },
  };
}

function overrideFor({ kind }: ToolRow): Record<string, unknown> {
  return kind === 'sql' ? { maxRows: 5 } : { value: { region: 0 } };
}

async function insert(connection: ScriptConnection, rows: readonly object[], statement: string): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    await connection.query(statement, [JSON.stringify(rows.slice(start, start + ROWS_PER_STATEMENT))]);
  }
}

function pick<T>(choices: readonly T[], random: Random): T {
  return choices[Math.floor(random() * choices.length)]!;
}

/** mulberry32: small, and the same everywhere. */
function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
