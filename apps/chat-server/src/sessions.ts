/**
 * Conversations. An id is one of its owner's, and every statement names the owner: an id alone opens nothing. No connection is held between
 * two calls: the model thinks without one.
 */
import type { Queryable } from './database.ts';
import { SessionNotFound } from './not-found.ts';

export interface ChatMessage {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

export interface SessionKey {
  readonly sessionId: string;
  readonly userId: string;
}

/** The last messages of a session that the model is shown: so many, and together so many characters, at most. */
const HISTORY_LENGTH = 100;
const HISTORY_CHARACTERS = 200_000;

/** Longest id a client may choose for its session. */
export const MAX_SESSION_ID_LENGTH = 128;

/**
 * Opens the session of that id, or makes it.
 * @throws SessionNotFound if this user has it with another agent.
 */
export async function openSession(
  database: Queryable,
  { sessionId, userId, agentName }: SessionKey & { readonly agentName: string },
): Promise<void> {
  // One statement: of two requests that make the same session at once, the second finds what the first has made.
  const rows = await database.query(
    `insert into chat_sessions as session (user_id, id, agent_name) values ($2, $1, $3)
     on conflict (user_id, id) do update set updated_at = now() where session.agent_name = excluded.agent_name
     returning id`,
    [sessionId, userId, agentName],
  );
  if (rows.length === 0) throw new SessionNotFound();
}

/** The session's last messages, as many as the model is shown, oldest first. */
export async function loadMessages(database: Queryable, { sessionId, userId }: SessionKey): Promise<ChatMessage[]> {
  const rows = await database.query<ChatMessage>(
    `select role, content
     from (
       select id, role, content, sum(length(content)) over (order by id desc) as characters
       from (
         select id, role, content from chat_messages where user_id = $1 and session_id = $2 order by id desc limit $3
       ) as last_messages
     ) as counted
     where characters <= $4
     order by id desc`,
    [userId, sessionId, HISTORY_LENGTH, HISTORY_CHARACTERS],
  );
  return rows.reverse();
}

/**
 * Adds messages, all or none of them: a question is not kept without its answer.
 * @throws SessionNotFound if there is no such session of this user.
 */
export async function appendMessages(
  database: Queryable,
  { sessionId, userId }: SessionKey,
  messages: readonly ChatMessage[],
): Promise<void> {
  const rows = await database.query(
    `with session as (
       update chat_sessions set updated_at = now() where id = $1 and user_id = $2 returning id, user_id
     )
     insert into chat_messages (session_id, user_id, role, content)
     select session.id, session.user_id, message.role, message.content
     from session, unnest($3::text[], $4::text[]) with ordinality as message (role, content, position)
     order by message.position
     returning id`,
    [sessionId, userId, messages.map(({ role }) => role), messages.map(({ content }) => storable(content))],
  );
  if (rows.length < messages.length) throw new SessionNotFound();
}

/** PostgreSQL's text holds every character but one. */
function storable(text: string): string {
  return text.replaceAll('\0', '');
}
