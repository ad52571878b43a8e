/**
 * The log of the server: JSON, one line per event, on standard output. It never holds a body, a key, an authorization
 * header or a cached value; errors are written by their fields we know, because drivers hang rows and parameters on
 * theirs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from './config.ts';

export type ServerLog = Logger;

const WRITTEN_MS = 2000;

/** To standard output, unless told otherwise. Wait for `written()` before the process exits. */
export function createServerLog(level: LogLevel, destination: DestinationStream = standardOutput()): ServerLog {
  return pino({ level, base: null, serializers: { err: describeError } }, destination);
}

/**
 * Lines are written together, when they are 4 KB or 200 ms have passed, and by a thread: nothing waits for a reader who does
 * not read, and what he has not read is kept up to 16 MB. A log that cannot be written ends nobody's service.
 */
function standardOutput(): DestinationStream {
  const output = pino.destination({ sync: false, minLength: 4096, maxLength: 16 * 1024 ** 2, periodicFlush: 200 });
  output.on('error', () => {});
  // It tries again until it can, for ever, and is called when the process exits: that could not end.
  output.flushSync = () => {};
  return output;
}

/** Resolves when all is written, after `WRITTEN_MS` at the latest. */
export async function written(log: ServerLog): Promise<void> {
  const flush = (): Promise<unknown> => new Promise((resolve) => log.flush(resolve));
  // The first time, up to 4 KB may be kept back.
  await Promise.race([flush().then(flush), sleep(WRITTEN_MS, undefined, { ref: false })]);
}

interface ErrorDescription {
  readonly type: string;
  /** Absent where it may quote what the model was told or said. */
  readonly message?: string;
  readonly statusCode?: number;
  readonly code?: unknown;
  /** What PostgreSQL, or a migration of ours, advises. Its `detail` and `where` are not told: they quote rows. */
  readonly hint?: string;
  readonly stack?: string | undefined;
  readonly cause?: ErrorDescription;
}

/**
 * Type, message, code, hint and stack, and the same of each cause. Errors of the AI SDK quote answers, bodies and keys in
 * their messages and in those of their causes: of these only type, status, code and the frames of the stack are told.
 */
export function describeError(error: unknown): ErrorDescription {
  return describe(error, { depth: 0, quoting: false });
}

function describe(error: unknown, { depth, quoting }: { depth: number; quoting: boolean }): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: 'a value that is no error was thrown' };
  const { name, message, stack, cause } = error;
  const quotes = quoting || name.startsWith('AI_');
  return {
    type: name,
    ...(quotes ? {} : { message }),
    ...('statusCode' in error && typeof error.statusCode === 'number' ? { statusCode: error.statusCode } : {}),
    ...('code' in error ? { code: error.code } : {}),
    ...(quotes ? {} : hintOf(error)),
    stack: quotes ? framesOf(error) : stack,
    ...(cause !== undefined && depth < 5 ? { cause: describe(cause, { depth: depth + 1, quoting: quotes }) } : {}),
  };
}

/** Only errors that the database sent have a severity: what others call a hint may say anything. */
function hintOf(error: Error): { readonly hint?: string } {
  return 'severity' in error && 'hint' in error && typeof error.hint === 'string' ? { hint: error.hint } : {};
}

/** The stack without the message at its head. Where the message is not found in it, nobody can say where it ends. */
function framesOf({ stack = '', message }: Error): string | undefined {
  const head = message === '' ? '' : `: ${message}`;
  const start = stack.indexOf(head);
  return start < 0 ? undefined : stack.slice(start + head.length).trimStart();
}
