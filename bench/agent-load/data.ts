/** The rows that agents are loaded from, and who loads which of them. */
import { openDatabase } from '../../apps/chat-server/src/database.ts';
import { generate } from '../../apps/chat-server/src/generate.ts';
import { migrate } from '../../apps/chat-server/src/migrate.ts';
import { createRandom, createZipf } from '../random.ts';

/** One user who talks to one agent. */
export interface Conversation {
  readonly agentName: string;
  readonly userId: string;
  readonly sessionId: string;
}

interface DataSize {
  readonly agents: number;
  readonly tools: number;
  readonly linksPerAgent: number;
  readonly users: number;
  readonly conversations: number;
}

/**
 * Fills an empty database. Answers the conversations, each with its own pair of user and agent: some users talk to many
 * agents, most to one or two, and some agents are far more popular than others. Every second pair has instructions.
 */
export async function prepareData(databaseUrl: string, size: DataSize): Promise<Conversation[]> {
  const database = await openDatabase({ databaseUrl, dataDir: '', deadlineMs: 60_000 });
  try {
    await migrate(database);
    const { agentNames } = await generate(database, size);
    const conversations = makeConversations(agentNames, size);
    const wishes = conversations
      .filter((_, index) => index % 2 === 0)
      .map(({ agentName, userId }) => ({
        agent_name: agentName,
        user_id: userId,
        instructions: `Write to me as "${userId}". Keep to five sentences, and give amounts in euros.`,
      }));
    await database.query(
      `insert into user_agent_instructions (user_id, agent_id, instructions)
       select row.user_id, agent.id, row.instructions
       from jsonb_to_recordset($1::jsonb) as row (agent_name text, user_id text, instructions text)
       join agent_configurations as agent using (agent_name)`,
      [JSON.stringify(wishes)],
    );
    await database.query(
      `insert into api_keys (key_hash, prefix, user_id, scopes)
       select encode(sha256(convert_to('key-of-user_' || number, 'UTF8')), 'hex'), 'ek_bench', 'user_' || number, '{chat}'
       from generate_series(0, $1::integer - 1) as number`,
      [size.users],
    );
    await database.query('analyze user_agent_instructions');
    return conversations;
  } finally {
    await database.close();
  }
}

function makeConversations(agentNames: readonly string[], { users, conversations }: DataSize): Conversation[] {
  const random = createRandom(2);
  const agent = createZipf(agentNames.length, random);
  const user = createZipf(users, random);
  const pairs = new Map<string, Conversation>();
  while (pairs.size < conversations) {
    const agentName = agentNames[agent()]!;
    const userId = `user_${user()}`;
    const pair = `${userId} ${agentName}`;
    pairs.set(pair, { agentName, userId, sessionId: `session of ${pair}` });
  }
  return [...pairs.values()];
}
