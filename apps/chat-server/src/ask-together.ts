/**
 * A policy for a source of whose single keys many are asked for at once, or are made up: they are asked for together. One
 * statement is under way at a time, and whoever asks meanwhile shares the next one:
 *
 *     fetch a ──▶ select a ─────────▶ a
 *     fetch b ──▶   waits ──┐
 *     fetch c ──▶   waits ──┴▶ select b, c ──▶ b, c
 *
 * So a flood takes one connection, and keeps nobody waiting for much longer than two statements take: a server that has
 * just started asks for what its users need in a fraction of the statements. No key has to be refused to spare the
 * database; nobody could say which of them was made a moment ago.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { PostgresSource } from '@evercache/postgres';
import type { FetchContext, Source } from 'evercache';

/** In one statement: a longer one would keep those who come after it waiting. */
const MOST_KEYS = 1000;

interface Question<T> {
  readonly key: string;
  readonly context: FetchContext;
  readonly answer: (row: T | undefined) => void;
  readonly fail: (error: unknown) => void;
}

/** What `askTogether` makes of a source. */
export type TogetherSource<T> = Source<T> & Required<Pick<Source<T>, 'fetchOne' | 'fetchMany' | 'status'>>;

export function askTogether<T>(source: PostgresSource<T>): TogetherSource<T> {
  const waiting: Question<T>[] = [];
  let isAsking = false;

  const askAll = async (): Promise<void> => {
    isAsking = true;
    while (waiting.length > 0) {
      // Whoever was answered just now may have another question. Without this turn it would miss the statement that is
      // about to start, and so wait for two.
      await turn();
      await ask(source, waiting.splice(0, MOST_KEYS));
    }
    isAsking = false;
  };

  return {
    fetchAll: (context) => source.fetchAll(context),
    fetchOne: (key, context) =>
      new Promise((answer, fail) => {
        waiting.push({ key, context, answer, fail });
        if (!isAsking) void askAll();
      }),
    fetchMany: (keys, context) => source.fetchMany(keys, context),
    breakerKey: source.breakerKey,
    status: () => source.status(),
  };
}

/** Never rejects: whoever asked is told. */
async function ask<T>(source: PostgresSource<T>, questions: readonly Question<T>[]): Promise<void> {
  try {
    // The oldest has the least time left: what is under way ends when that is over, whatever the database does.
    const { context } = questions.find(({ context: { signal } }) => !signal.aborted) ?? questions[0]!;
    context.signal.throwIfAborted();
    const keys = new Set(questions.map(({ key }) => key));
    const rows = await source.fetchMany([...keys], context);
    for (const { key, answer } of questions) answer(rows.get(key));
  } catch (error) {
    for (const { fail } of questions) fail(error);
  }
}
