/** Agents, tools and the links between them, mirrored, with a view of each agent's tools. */
import { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest';
import { hasPostgres, usePostgres } from '../../../test/support/use-postgres.ts';
import { type MirrorOptions, type MirrorTables, postgresMirror } from '../src/index.ts';
import { AGENTS, CHANGE_LOG } from './mirror.ts';

/** The database of the file, with fresh tables before each test. */
export function useAgentTables(script = ''): { readonly pool: Pool; readonly url: string } {
  const server = usePostgres();
  let pool: Pool;
  beforeAll(async () => {
    if (!hasPostgres()) return;
    pool = new Pool({ connectionString: server.url });
    pool.on('error', () => {});
    await pool.query(CHANGE_LOG);
  });
  beforeEach(async () => {
    await pool.query(AGENTS + script);
  });
  afterAll(() => pool?.end());
  return {
    get pool() {
      return pool;
    },
    get url() {
      return server.url;
    },
  };
}

export const TABLES = {
  agents: { table: 'agents' },
  links: { table: 'public.agent_tools', indexes: ['agent_id'] },
  tools: { table: 'tools' },
} as const satisfies MirrorTables;

type Options = Partial<Omit<MirrorOptions<typeof TABLES>, 'tables'>>;

/** Not started; stopped when the test ends. `read` counts the rows that came from the database. */
export function mirrorOf(client: MirrorOptions<typeof TABLES>['client'], options: Options = {}) {
  const counts = { read: 0, built: 0 };
  const counted = (row: Record<string, unknown>) => {
    counts.read += 1;
    return row as { readonly id: number; readonly name: string };
  };
  const mirror = postgresMirror({
    name: 'agents',
    client,
    refreshInterval: '1h',
    ttl: '2h',
    ...options,
    tables: { ...TABLES, tools: { ...TABLES.tools, map: counted } },
  });
  onTestFinished(() => mirror.stop());
  const view = mirror.view({
    name: 'tools of agents',
    keys: 'agents',
    build: (agent, read) => {
      counts.built += 1;
      return read.links.by('agent_id', agent.id).map((link) => read.tools.get(link.tool_id));
    },
  });
  const names = (agent: string): unknown => view.get(agent)?.map((tool) => tool?.name);
  return { mirror, view, names, counts };
}
