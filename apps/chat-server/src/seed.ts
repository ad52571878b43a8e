/** Writes the demo into a database, once. */
import { checkTool } from './agents/check-tool.ts';
import { createApiKey } from './api-keys.ts';
import type { Database, Queryable } from './database.ts';
import {
  DEMO_USER,
  seedAgents,
  seedEmails,
  seedInstructions,
  seedProducts,
  seedTasks,
  seedTools,
} from './seed-data.ts';

export interface SeedReport {
  /** A new key of the demo user, on the one occasion that the demo was written: show it, nobody can ask again. */
  readonly demoApiKey: string | undefined;
}

/**
 * Writes the demo agents, their tools and data, and a key for the demo user, all or nothing. A database that has had
 * them is left as it is, so nothing that was changed or deleted since comes back; rows of the same name stay.
 */
export async function seed(database: Database): Promise<SeedReport> {
  const applied = await database.query(`select name from applied_seeds where name = 'demo'`);
  if (applied.length > 0) return { demoApiKey: undefined };
  for (const { args_schema: argsSchema, ...tool } of seedTools) await checkTool({ ...tool, argsSchema }, database);
  return database.transaction(async (transaction) => {
    // Of several instances that start at once, one writes; the others wait here and find it done.
    const first = await transaction.query(
      `insert into applied_seeds (name) values ('demo') on conflict do nothing returning name`,
    );
    if (first.length === 0) return { demoApiKey: undefined };
    await insertAgents(transaction);
    await insertDemoData(transaction);
    const key = { userId: DEMO_USER, scopes: ['chat'], name: 'demo' };
    return { demoApiKey: await createApiKey(transaction, key) };
  });
}

async function insertAgents(transaction: Queryable): Promise<void> {
  await transaction.query(
    `insert into tools (name, kind, description, config, args_schema)
     select name, kind, description, config, args_schema
     from jsonb_to_recordset($1::jsonb) as row (name text, kind text, description text, config jsonb, args_schema jsonb)
     on conflict do nothing`,
    [JSON.stringify(seedTools)],
  );
  await transaction.query(
    `insert into agent_configurations (agent_name, description, instructions, llm_config, is_public)
     select agent_name, description, instructions, llm_config, is_public
     from jsonb_to_recordset($1::jsonb)
       as row (agent_name text, description text, instructions text, llm_config jsonb, is_public boolean)
     on conflict do nothing`,
    [JSON.stringify(seedAgents)],
  );
  const links = seedAgents.flatMap(({ agent_name, tools }) =>
    tools.map((tool, position) => {
      const [tool_name, config_override] = typeof tool === 'string' ? [tool, {}] : tool;
      return { agent_name, tool_name, position, config_override };
    }),
  );
  await transaction.query(
    `insert into agent_tools (agent_id, tool_id, position, config_override)
     select agent.id, tool.id, position, config_override
     from jsonb_to_recordset($1::jsonb)
       as row (agent_name text, tool_name text, position integer, config_override jsonb)
     join agent_configurations as agent using (agent_name)
     join tools as tool on tool.name = row.tool_name and not tool.is_deleted
     on conflict do nothing`,
    [JSON.stringify(links)],
  );
  await transaction.query(
    `insert into agent_access (agent_id, user_id)
     select id, $1 from agent_configurations where agent_name = any($2::text[]) on conflict do nothing`,
    [DEMO_USER, seedAgents.filter(({ is_public }) => !is_public).map(({ agent_name }) => agent_name)],
  );
  await transaction.query(
    `insert into user_agent_instructions (user_id, agent_id, instructions)
     select user_id, agent.id, row.instructions
     from jsonb_to_recordset($1::jsonb) as row (user_id text, agent_name text, instructions text)
     join agent_configurations as agent using (agent_name)
     on conflict do nothing`,
    [JSON.stringify(seedInstructions)],
  );
}

async function insertDemoData(transaction: Queryable): Promise<void> {
  await transaction.query(
    `insert into demo_tasks (user_id, title, status, priority, due_on, internal_note)
     select user_id, title, status, priority, due_on, 'written by the seed'
     from jsonb_to_recordset($1::jsonb)
       as row (user_id text, title text, status text, priority integer, due_on date)`,
    [JSON.stringify(seedTasks)],
  );
  await transaction.query(
    `insert into demo_emails (user_id, sender, subject, snippet, body, is_read, received_at)
     select user_id, sender, subject, snippet, snippet || ' ...', is_read, received_at
     from jsonb_to_recordset($1::jsonb)
       as row (user_id text, sender text, subject text, snippet text, is_read boolean, received_at timestamptz)`,
    [JSON.stringify(seedEmails)],
  );
  await transaction.query(
    `insert into demo_products (sku, name, price_cents, stock, cost_cents)
     select sku, name, price_cents, stock, cost_cents
     from jsonb_to_recordset($1::jsonb)
       as row (sku text, name text, price_cents integer, stock integer, cost_cents integer)
     on conflict do nothing`,
    [JSON.stringify(seedProducts)],
  );
}
