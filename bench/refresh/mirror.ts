/**
 * A mirror of joined tables: what it costs that a tool which every agent has is changed, and what memory the rows take
 * beside the same rows in a plain Map.
 */
import { type PostgresMirror, postgresMirror } from '@evercache/postgres';
import pg from 'pg';
import type { Measurement, Target } from '../bench.ts';
import { median } from '../statistics.ts';
import { collector, plainMap } from './memory.ts';

export interface MirrorBenchOptions {
  /** A database of its own, empty, on a PostgreSQL where the change log may be installed. */
  readonly databaseUrl: string;
  /** The SQL that installs the change log. */
  readonly changeLog: string;
  readonly quick: boolean;
  readonly progress: (text: string) => void;
}

const settings = { agents: 10_000, tools: 200, toolsPerAgent: 10, rounds: 30, rows: 100_000 };
const quickSettings: typeof settings = { agents: 200, tools: 20, toolsPerAgent: 5, rounds: 3, rows: 2000 };

/** About 500 bytes as text. */
const CONFIG = `jsonb_build_object('url', 'https://example.org/' || n, 'method', 'POST', 'timeoutMs', 2000 + n % 1000,
  'headers', jsonb_build_object('accept', 'application/json', 'x-tenant', md5(n::text)),
  'retry', jsonb_build_object('times', 3, 'backoffMs', jsonb_build_array(100, 200, 400)),
  'description', repeat(md5((n + 1)::text) || ' ', 6), 'tags', jsonb_build_array('a' || n % 7, 'b' || n % 11, 'c'))`;

export async function measureMirror(
  options: MirrorBenchOptions,
): Promise<{ measurements: Measurement[]; targets: Target[] }> {
  const plan = options.quick ? quickSettings : settings;
  const pool = new pg.Pool({ connectionString: options.databaseUrl });
  try {
    await pool.query(options.changeLog);
    options.progress(`one tool of ${plan.agents} agents is changed, ${plan.rounds} times`);
    const hot = await measureHotTool(pool, plan);
    options.progress(`memory of ${plan.rows} rows`);
    const memory = await measureMemory(pool, plan.rows);
    return {
      measurements: [...hot.measurements, ...memory.measurements],
      targets: [...hot.targets, ...memory.targets],
    };
  } finally {
    await pool.end();
  }
}

interface Part {
  readonly measurements: Measurement[];
  readonly targets: Target[];
}

async function measureHotTool(pool: pg.Pool, plan: typeof settings): Promise<Part> {
  const { agents, tools, toolsPerAgent, rounds } = plan;
  await pool.query(`
    create table agents (id int primary key);
    create table tools (id int primary key, name text, config jsonb);
    create table agent_tools (agent_id int, tool_id int, position int, config_override jsonb, primary key (agent_id, tool_id));
    insert into agents select n from generate_series(1, ${agents}) as n;
    insert into tools select n, 'tool ' || n, ${CONFIG} from generate_series(0, ${tools - 1}) as n;
    insert into agent_tools select a, case when p = 0 then 0 else 1 + (a * 7 + p * 13) % ${tools - 1} end, p, '{}'
      from generate_series(1, ${agents}) as a, generate_series(0, ${toolsPerAgent - 1}) as p on conflict do nothing;
    analyze;
    select evercache.follow('agents'), evercache.follow('tools'), evercache.follow('agent_tools');`);
  let read = 0;
  const mirror = postgresMirror({
    name: 'bench',
    client: pool,
    refreshInterval: '1h',
    ttl: '2h',
    tables: {
      agents: { table: 'agents' },
      links: { table: 'agent_tools', indexes: ['agent_id'] },
      tools: {
        table: 'tools',
        map: (row) => {
          read += 1;
          return row;
        },
      },
    },
  });
  const view = mirror.view({
    name: 'tools of agents',
    keys: 'agents',
    build: (agent, { links, tools }) =>
      links
        .by('agent_id', agent.id)
        .toSorted((a, b) => Number(a.position) - Number(b.position))
        .map((link) => ({ tool: tools.get(link.tool_id), override: link.config_override })),
  });
  const keys = Array.from({ length: agents }, (_, index) => String(index + 1));
  const seen = (name: string): number => keys.filter((key) => view.get(key)?.[0]?.tool?.name === name).length;
  const times = { refresh: [] as number[], all: [] as number[] };
  const rows: number[] = [];
  let missed = 0;
  try {
    await mirror.start();
    seen('');
    for (let round = 0; round < rounds + 2; round += 1) {
      await pool.query('update tools set name = $1 where id = 0', [`name ${round}`]);
      read = 0;
      const startedAt = performance.now();
      await mirror.refresh();
      const refreshedAt = performance.now();
      missed += agents - seen(`name ${round}`);
      const builtAt = performance.now();
      // The first ones prepare the statement.
      if (round < 2) continue;
      times.refresh.push(refreshedAt - startedAt);
      times.all.push(builtAt - startedAt);
      rows.push(read);
    }
  } finally {
    await mirror.stop();
  }
  const where = { case: `one tool of ${agents} agents is changed`, contender: 'mirror', ratio: null };
  const [refreshMs, allMs, rowsRead] = [median(times.refresh), median(times.all), Math.max(...rows)];
  return {
    measurements: [
      { ...where, metric: 'rows read', value: rowsRead, unit: 'rows' },
      { ...where, metric: 'refresh', value: refreshMs, unit: 'ms' },
      { ...where, metric: 'refresh, and every agent read', value: allMs, unit: 'ms' },
      { ...where, metric: 'agents that do not see it', value: missed, unit: 'agents' },
    ],
    targets: [
      {
        target: `one tool of ${agents} agents is changed: one row read, <= 5 ms, all agents see it`,
        measured: `${rowsRead} row, ${refreshMs.toFixed(1)} ms, ${missed} do not see it`,
        met: rowsRead === 1 && refreshMs <= 5 && missed === 0,
      },
    ],
  };
}

async function measureMemory(pool: pg.Pool, rows: number): Promise<Part> {
  await pool.query(`create table rows (id uuid primary key default gen_random_uuid(), owner int, config jsonb);
    insert into rows (owner, config) select n / 10, ${CONFIG} from generate_series(1, ${rows}) as n;
    select evercache.follow('rows');`);
  const collect = collector();
  const grown = async (hold: () => Promise<unknown>): Promise<{ bytes: number; held: unknown }> => {
    const before = await collect();
    const held = await hold();
    return { bytes: (await collect()) - before, held };
  };
  const mirrored = async (indexes: readonly string[]): Promise<number> => {
    const mirror = postgresMirror({ name: 'memory', client: pool, tables: { rows: { table: 'rows', indexes } } });
    const { bytes, held } = await grown(async () => {
      await mirror.start();
      return mirror;
    });
    await (held as PostgresMirror<never>).stop();
    return bytes;
  };
  const plain = await grown(() => plainMap(pool, 'rows'));
  const size = (plain.held as ReadonlyMap<string, unknown>).size;
  plain.held = undefined;
  const [bare, indexed] = [await mirrored([]), await mirrored(['owner'])];
  const row = (contender: string, bytes: number): Measurement => ({
    case: `memory of ${size} rows`,
    contender,
    metric: 'heap per row',
    value: bytes / size,
    unit: 'bytes',
    ratio: bytes / plain.bytes,
  });
  return {
    measurements: [row('plain Map', plain.bytes), row('mirror', bare), row('mirror with an index', indexed)],
    targets: [
      {
        target: 'heap of the mirror <= 1.15 x the same frozen rows in a plain Map',
        measured: `${(bare / plain.bytes).toFixed(3)} x (with an index: ${(indexed / plain.bytes).toFixed(3)} x)`,
        met: bare / plain.bytes <= 1.15,
      },
    ],
  };
}
