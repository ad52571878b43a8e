/** Keeps the change log short: on a primary its old rows are removed now and then. Readers never wait for it. */
import type { Database } from '../database.ts';
import type { FollowingStatus } from './following-status.ts';

const INTERVAL_MS = 10 * 60_000;
const DEADLINE_MS = 30_000;

const PRUNE = { text: 'select evercache.prune()::text', values: [] };
const SIZE = {
  text: `select count(*)::text, to_json(min(at) at time zone 'UTC') #>> '{}' || 'Z' from evercache.change_log`,
  values: [],
};

export class Upkeep {
  readonly #database: Database;
  readonly #status: FollowingStatus;
  #doneAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database, status: FollowingStatus) {
    this.#database = database;
    this.#status = status;
  }

  /** Starts it where it is due; a failure is noted in the status and otherwise nobody's business. */
  whenDue(standby: boolean): void {
    const now = performance.now();
    if (now - this.#doneAt < INTERVAL_MS) return;
    this.#doneAt = now;
    void this.#run(standby);
  }

  async #run(standby: boolean): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    try {
      const lease = await this.#database.lease({ signal, snapshot: false, writes: !standby });
      try {
        if (!standby) await lease.run(PRUNE);
        const { rows } = await lease.run(SIZE);
        this.#status.lookedAfter({ rows: Number(rows[0]?.[0]), oldest: rows[0]?.[1] ?? null });
      } finally {
        await lease.end();
      }
    } catch (error) {
      this.#status.lookedAfter(undefined, error instanceof Error ? error.message : String(error));
    }
  }
}
