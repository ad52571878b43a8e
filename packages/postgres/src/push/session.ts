/**
 * One connection of the bell: statements with a deadline, notifications, and one end, whatever ended it. Neither its
 * socket nor its timers keep the process alive, but for the short goodbye that somebody awaits.
 */
import { FAREWELL_MS } from '../database.ts';
import { PostgresError, toPostgresError } from '../errors.ts';
import { resolvesWithin } from '../waiting.ts';
import type { Way, WireClient } from './way.ts';

const AS_TEXT = { getTypeParser: () => (value: string) => String(value) };

/** So that a firewall that forgets connections is not given the time to. */
const KEEPALIVE_AFTER_MS = 10_000;

interface SessionOptions {
  readonly way: Way;
  /** Milliseconds that the server has for an answer. */
  readonly answerMs: number;
  /** Hears the payloads of one channel, once `listen()` has resolved. */
  readonly onNotification?: (payload: string) => void;
  /** It died, without having been asked to. */
  readonly onLost?: (error: PostgresError) => void;
}

export class Session {
  readonly #options: SessionOptions;
  #client: WireClient | undefined;
  #opened = false;
  #over: PostgresError | undefined;
  /** Of the statement under way, and of the connection being opened. */
  #refuse: (error: PostgresError) => void = () => undefined;
  #underWay: Promise<unknown> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Rejects where the server does not answer in time, and when the session is ended meanwhile. */
  async open(): Promise<void> {
    await this.#within(this.#connect());
    this.#opened = true;
  }

  /** One statement at a time. Its columns have to be texts. */
  async run(text: string, values: readonly string[] = [], name?: string): Promise<readonly (string | null)[]> {
    const prepared = name === undefined ? {} : { name };
    const query = { ...prepared, text, values: [...values], rowMode: 'array' as const, types: AS_TEXT };
    const answer = this.#over === undefined ? this.#client!.query(query) : Promise.reject(this.#over);
    const { rows } = await this.#within(answer);
    return (rows[0] ?? []) as (string | null)[];
  }

  /** Says goodbye, so that the server lets go at once of what the session holds. Never rejects. */
  async close(): Promise<void> {
    const client = this.#client;
    const greeted = this.#opened && this.#over === undefined;
    const underWay = this.#underWay;
    this.#end(new PostgresError({ message: 'the connection was closed', reachable: true }), greeted);
    if (client === undefined || !greeted) return;
    client.ref?.();
    // A statement under way is let run to its end: the server notices that we are gone only after it.
    await resolvesWithin(FAREWELL_MS, underWay);
    if (!(await resolvesWithin(FAREWELL_MS, client.end()))) destroy(client);
  }

  async #connect(): Promise<void> {
    const client = await this.#options.way({
      application_name: 'evercache-push',
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    });
    this.#client = client;
    const lose = (error: unknown): void => this.#lose(toPostgresError(error));
    client.on('error', lose);
    client.on('end', () => lose(new Error('the connection has ended')));
    client.on('notification', ({ payload = '' }) => {
      if (this.#over === undefined) this.#options.onNotification?.(payload);
    });
    if (this.#over !== undefined) return;
    const connected = client.connect();
    client.unref?.();
    await connected;
    // With TLS, it is another socket by now.
    client.unref?.();
  }

  #within<R>(work: Promise<R>): Promise<R> {
    const { answerMs } = this.#options;
    return new Promise<R>((resolve, reject) => {
      const late = (): void =>
        this.#lose(new PostgresError({ message: `no answer within ${answerMs} ms`, reachable: false }));
      const timer = setTimeout(late, answerMs).unref();
      this.#refuse = reject;
      // What the server refuses is an answer, and the session goes on.
      const settled = work.then(resolve, (error: unknown) => reject(this.#over ?? toPostgresError(error)));
      this.#underWay = settled.finally(() => clearTimeout(timer));
    });
  }

  #lose(error: PostgresError): void {
    if (this.#over !== undefined) return;
    this.#end(error, false);
    this.#options.onLost?.(error);
  }

  #end(error: PostgresError, gently: boolean): void {
    this.#over ??= error;
    this.#refuse(this.#over);
    if (!gently && this.#client !== undefined) destroy(this.#client);
  }
}

/** pg would wait for the answer of a server that gives none. */
function destroy(client: WireClient): void {
  const { stream } = client.connection ?? {};
  if (stream !== undefined) stream.destroy();
  else client.end().catch(() => undefined);
}
