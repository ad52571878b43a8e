import { describe, expect, it } from 'vitest';
import { SessionNotFound } from '../src/not-found.ts';
import { appendMessages, loadMessages, openSession } from '../src/sessions.ts';
import { bothDatabases } from './support/databases.ts';

describe.each(bothDatabases)('chat sessions on %s', (_, use) => {
  const test = use();
  const agentName = 'listener';
  const hello = [
    { role: 'user', content: 'hello' },
    { role: 'assistant', content: 'good day' },
  ] as const;

  it('keep a conversation in its order, and give it back to its owner', async () => {
    const key = { sessionId: 'first', userId: 'anna' };
    await openSession(test.database, { ...key, agentName });
    await appendMessages(test.database, key, hello);
    await appendMessages(test.database, key, [{ role: 'user', content: 'again\0' }]);
    await openSession(test.database, { ...key, agentName });
    expect(await loadMessages(test.database, key)).toEqual([...hello, { role: 'user', content: 'again' }]);
  });

  it('open nothing to another user who knows the id: no reading, no writing, no taking it away', async () => {
    const sessionId = 'chosen-by-anna';
    await openSession(test.database, { sessionId, userId: 'anna', agentName });
    await appendMessages(test.database, { sessionId, userId: 'anna' }, hello);
    const other = { sessionId, userId: 'bob' };
    await expect(appendMessages(test.database, other, hello)).rejects.toThrow(SessionNotFound);
    await openSession(test.database, { ...other, agentName: 'task_coach' });
    expect(await loadMessages(test.database, other)).toEqual([]);
    await appendMessages(test.database, other, [{ role: 'user', content: 'mine' }]);
    expect(await loadMessages(test.database, other)).toEqual([{ role: 'user', content: 'mine' }]);
    expect(await loadMessages(test.database, { sessionId, userId: 'anna' })).toEqual(hello);
  });

  it('belong to one agent', async () => {
    const key = { sessionId: 'of-one-agent', userId: 'anna' };
    await openSession(test.database, { ...key, agentName });
    const elsewhere = openSession(test.database, { ...key, agentName: 'task_coach' });
    await expect(elsewhere).rejects.toThrow(SessionNotFound);
  });

  it('keep the two of one moment apart: one makes the session, the other finds it', async () => {
    const options = { sessionId: 'both-at-once', userId: 'anna', agentName };
    await Promise.all(Array.from({ length: 8 }, () => openSession(test.database, options)));
    expect(await test.database.query(`select id from chat_sessions where id = 'both-at-once'`)).toHaveLength(1);
  });

  it('refuse messages for a session that is not there, and keep none of them', async () => {
    const key = { sessionId: 'never-opened', userId: 'anna' };
    await expect(appendMessages(test.database, key, hello)).rejects.toThrow(SessionNotFound);
    expect(await loadMessages(test.database, key)).toEqual([]);
  });

  it('show the model the end of a long conversation', async () => {
    const key = { sessionId: 'long', userId: 'anna' };
    await openSession(test.database, { ...key, agentName });
    const many = Array.from({ length: 150 }, (_, index) => ({ role: 'user', content: String(index) }) as const);
    await appendMessages(test.database, key, many);
    const shown = await loadMessages(test.database, key);
    expect(shown).toEqual(many.slice(-100));
  });

  it('show the model no more than 200,000 characters, the newest first', async () => {
    const key = { sessionId: 'wide', userId: 'anna' };
    await openSession(test.database, { ...key, agentName });
    const many = ['a', 'b', 'c'].map((letter) => ({ role: 'user', content: letter.repeat(90_000) }) as const);
    await appendMessages(test.database, key, many);
    expect(await loadMessages(test.database, key)).toEqual(many.slice(1));
  });
});
