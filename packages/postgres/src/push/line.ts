/**
 * One connection to the bell, from its making to its end:
 *
 *     connects ──▶ listens ──proved──▶ stands: tries to lead each second or two ──got the lock──▶ leads: looks at the
 *        └────────────┴─ fails, with the reason                                                   log each 50 ms, rings
 *
 * Everybody who stands hears the rings, the leader too. It does not come back from a failure: whoever wants to goes on
 * with another one.
 */
import { randomUUID } from 'node:crypto';
import { PostgresError, toPostgresError } from '../errors.ts';
import { Session } from './session.ts';
import {
  BEGIN_TO_LEAD,
  FACTS,
  LISTEN,
  lookSince,
  NOTIFY,
  SEND_AWAY,
  SETTINGS,
  STILL_LISTENS,
  TRY_TO_LEAD,
} from './statements.ts';
import type { Way } from './way.ts';

export interface PushTimes {
  /** Between two looks of the leader. */
  readonly lookMs: number;
  /** Between two attempts of the others to become the leader, at most. */
  readonly tryMs: number;
  /** Between two looks at the connection itself; so long may a leader be silent. */
  readonly heartbeatMs: number;
  /** What the server has for an answer. */
  readonly answerMs: number;
  /** What a ring may take that proves the connection. */
  readonly proofMs: number;
}

export const PUSH_TIMES: PushTimes = {
  lookMs: 50,
  tryMs: 2_000,
  heartbeatMs: 10_000,
  answerMs: 5_000,
  proofMs: 2_000,
};

export interface LineOptions {
  readonly way: Way;
  readonly times: PushTimes;
  readonly onRing: () => void;
  /** It stood, and has died. */
  readonly onLost: (error: PostgresError) => void;
}

const SILENT =
  'LISTEN succeeds here and nothing is heard, as by way of a pooler in transaction mode: give push.connectionString of the database itself';
const STANDBY = 'the server is a standby, where nobody can ring: give push.connectionString of the primary';
const FOREIGN = 'evercache.change_log is no plain table, so it is not the change log';

function closed(): PostgresError {
  return new PostgresError({ message: 'the connection was closed', reachable: true });
}

export class Line {
  /** Rejects with the reason why it does not. */
  readonly stands: Promise<void>;
  readonly #options: LineOptions;
  readonly #listener: Session;
  #state: 'making' | 'listening' | 'leading' | 'over' = 'making';
  #proof:
    | { readonly payload: string; readonly heard: PromiseWithResolvers<void>; readonly ringer: Session }
    | undefined;
  /** Of the listening session, at the server. */
  #processId: string | null | undefined;
  /** What the leader saw last. */
  #seen = '';
  #checkedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    const { way, times } = options;
    this.#listener = new Session({
      way,
      answerMs: times.answerMs,
      onNotification: (payload) => this.#hear(payload),
      onLost: (error) => this.#lose(error),
    });
    this.stands = this.#make();
  }

  get leads(): boolean {
    return this.#state === 'leading';
  }

  /** Also while it is being made. Never rejects. */
  async close(): Promise<void> {
    this.#state = 'over';
    clearTimeout(this.#timer);
    this.#proof?.heard.reject(closed());
    await Promise.all([this.#listener.close(), this.#proof?.ringer.close()]);
  }

  async #make(): Promise<void> {
    try {
      await this.#listener.open();
      const [standby, snapshot, processId, isTable] = await this.#listener.run(FACTS);
      if (standby === 'true') throw new PostgresError({ message: STANDBY, reachable: true });
      if (isTable === 'false') throw new PostgresError({ message: FOREIGN, reachable: true });
      this.#processId = processId;
      await this.#listener.run(SETTINGS);
      // Who may not read the log could not lead.
      const { text, values } = lookSince(snapshot!);
      await this.#listener.run(text, values);
      await this.#listener.run(LISTEN);
      await this.#prove();
      // Just when all was well.
      if (this.#state !== 'making') throw closed();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#state = 'listening';
    this.#checkedAt = performance.now();
    this.#plan(0);
  }

  /**
   * Rung from another session, while this one is at rest: a pooler in transaction mode hands over what comes in answer
   * to a statement, a ring to itself included, and only that.
   */
  async #prove(): Promise<void> {
    const { way, times } = this.#options;
    const ringer = new Session({ way, answerMs: times.answerMs });
    const heard = Promise.withResolvers<void>();
    heard.promise.catch(() => undefined);
    this.#proof = { payload: randomUUID(), heard, ringer };
    try {
      await ringer.open();
      await ringer.run(NOTIFY, [this.#proof.payload]);
      const silent = new PostgresError({ message: SILENT, reachable: true });
      const timer = setTimeout(() => heard.reject(silent), times.proofMs).unref();
      await heard.promise.finally(() => clearTimeout(timer));
    } finally {
      await ringer.close();
      this.#proof = undefined;
    }
  }

  #hear(payload: string): void {
    if (payload === this.#proof?.payload) this.#proof.heard.resolve();
    if (payload === '' && this.#state !== 'making') this.#options.onRing();
  }

  #plan(ms: number): void {
    if (this.#state !== 'over') this.#timer = setTimeout(() => void this.#beat(), ms).unref();
  }

  async #beat(): Promise<void> {
    const { tryMs, lookMs, heartbeatMs } = this.#options.times;
    const startedAt = performance.now();
    try {
      if (this.#state === 'listening') await this.#tryToLead();
      else await this.#look();
      if (startedAt - this.#checkedAt >= heartbeatMs) {
        await this.#check();
        this.#checkedAt = startedAt;
      }
    } catch (error) {
      this.#lose(toPostgresError(error));
    }
    // Instances that were started together shall not try together.
    if (this.#state === 'listening') this.#plan(tryMs * (0.5 + Math.random() / 2));
    else this.#plan(Math.max(lookMs / 5, lookMs - (performance.now() - startedAt)));
  }

  async #tryToLead(): Promise<void> {
    const [locked] = await this.#listener.run(TRY_TO_LEAD);
    if (locked !== 'true') return;
    const [snapshot] = await this.#listener.run(BEGIN_TO_LEAD);
    this.#seen = snapshot!;
    if (this.#state === 'listening') this.#state = 'leading';
  }

  async #look(): Promise<void> {
    const { text, values } = lookSince(this.#seen);
    const [snapshot] = await this.#listener.run(text, values, 'evercache_push');
    this.#seen = snapshot!;
  }

  async #check(): Promise<void> {
    const [processId, listens] = await this.#listener.run(STILL_LISTENS);
    if (processId !== this.#processId || listens !== 'true') {
      throw new PostgresError({ message: 'the connection no longer listens', reachable: true });
    }
    if (this.#state !== 'listening') return;
    // Refused, it is as if there had been nobody to send away.
    await this.#listener.run(SEND_AWAY, [`${this.#options.times.heartbeatMs} ms`]).catch(() => undefined);
  }

  #lose(error: PostgresError): void {
    this.#proof?.heard.reject(error);
    if (this.#state === 'making' || this.#state === 'over') return;
    void this.close();
    this.#options.onLost(error);
  }
}
