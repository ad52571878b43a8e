import { describe, expect, test } from 'vitest';
import { HttpError } from '../src/errors.ts';
import { type OpenAIMessage, readConversation } from '../src/openai-messages.ts';

describe('readConversation', () => {
  test('keeps the messages of user and assistant in order, and joins what system and developer say', () => {
    const { messages, instructions } = readConversation([
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'hi' },
      { role: 'developer', content: [{ type: 'text', text: 'use metric units' }] },
      { role: 'user', content: 'how far?' },
    ]);
    expect(messages).toEqual([
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'hi' },
      { role: 'user', content: 'how far?' },
    ]);
    expect(instructions).toBe('be brief\n\nuse metric units');
  });

  test('joins the text parts of a content array', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ];
    expect(readConversation([{ role: 'user', content }]).messages).toEqual([{ role: 'user', content: 'ab' }]);
  });

  test('reads an assistant that refused, or said nothing', () => {
    const { messages } = readConversation([
      { role: 'user', content: 'x' },
      { role: 'assistant', content: null },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
    ]);
    expect(messages.slice(1).map(({ content }) => content)).toEqual(['', 'no']);
  });

  test('has no instructions where nobody gave any', () => {
    expect(readConversation([{ role: 'user', content: 'x' }]).instructions).toBeUndefined();
    expect(
      readConversation([
        { role: 'system', content: ' ' },
        { role: 'user', content: 'x' },
      ]).instructions,
    ).toBeUndefined();
  });

  const user: OpenAIMessage = { role: 'user', content: 'x' };
  const refused: [string, OpenAIMessage[], string, RegExp][] = [
    [
      'an image, which it would have to fetch from anywhere',
      [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://169.254.169.254/' } }] }],
      'messages[0].content[0].type',
      /expected "text", got "image_url"/,
    ],
    [
      'a result of a tool that it did not run',
      [user, { role: 'tool', content: 'x' }],
      'messages[1].role',
      /tools are run by this server/,
    ],
    [
      'calls of tools that it did not make',
      [user, { role: 'assistant', content: null, tool_calls: [{}] }],
      'messages[1].tool_calls',
      /tools are run by this server/,
    ],
    ['a user who says nothing', [{ role: 'user' }], 'messages[0].content', /got nothing/],
    ['content that is a number', [{ role: 'user', content: 5 }], 'messages[0].content', /got a number/],
    [
      'a text part without text',
      [{ role: 'user', content: [{ type: 'text' }] }],
      'messages[0].content[0]',
      /got an object with 1 fields/,
    ],
    [
      'a conversation without a user',
      [{ role: 'system', content: 'x' }],
      'messages',
      /at least one message with the role "user"/,
    ],
  ];
  test.each(refused)('refuses %s, and says where', (_name, messages, param, message) => {
    const error = thrownBy(() => readConversation(messages));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ code: 'invalid_request', param, message: expect.stringMatching(message) });
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
