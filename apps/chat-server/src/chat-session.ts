/**
 * The part of a session that one question needs: what was said before, and what to keep afterwards. Nothing is
 * written before the answer is there, and no connection is held while the model thinks.
 */
import type { Database } from './database.ts';
import { SessionNotFound } from './not-found.ts';
import { appendMessages, type ChatMessage, loadMessages, openSession } from './sessions.ts';

export interface ChatSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly agentName: string;
}

/**
 * What was said before; nothing in a session that does not exist yet.
 * @throws SessionNotFound if this user has the session with another agent; DatabaseUnavailable.
 */
export async function readHistory(database: Database, session: ChatSession): Promise<ChatMessage[]> {
  const { sessionId, userId, agentName } = session;
  const [found] = await database.query<{ agentName: string }>(
    'select agent_name as "agentName" from chat_sessions where user_id = $1 and id = $2',
    [userId, sessionId],
  );
  if (found === undefined) return [];
  if (found.agentName !== agentName) throw new SessionNotFound();
  return loadMessages(database, session);
}

/** Keeps a question and its answer, both or neither; makes the session with the first of them. */
export async function storeExchange(
  database: Database,
  session: ChatSession,
  { question, answer }: { question: string; answer: string },
): Promise<void> {
  await database.transaction(async (transaction) => {
    await openSession(transaction, session);
    await appendMessages(transaction, session, [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ]);
  });
}
