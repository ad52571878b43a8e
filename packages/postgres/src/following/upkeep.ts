/** Keeps the change log short: on a primary its old rows are removed now and then. Readers never wait for it. */
import type { Database } from '../database.ts';
import type { FollowingStatus } from './following-status.ts';

const INTERVAL_MS = 10 * 60_000;
const DEADLINE_MS = 30_000;

/** How many entries one `prune()` removes at most, about. */
export const PRUNED_AT_ONCE = 200_000;

const PRUNE = { text: 'select evercache.prune()::text', values: [] };

/** Counted as far as that is cheap, and beyond it as the planner knows it. */
const SIZE = {
  text: `select case when l.counted <= 100000 then l.counted else greatest(l.counted, c.reltuples::bigint) end::text,
    (select to_json(at at time zone 'UTC') #>> '{}' || 'Z' from evercache.change_log order by xid limit 1)
  from (select count(*) as counted from (select from evercache.change_log limit 100001) as entries) as l
    join pg_catalog.pg_class as c on c.oid = 'evercache.change_log'::regclass`,
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
        const removed = standby ? 0 : Number((await lease.run(PRUNE)).rows[0]?.[0]);
        const { rows } = await lease.run(SIZE);
        this.#status.lookedAfter({ rows: Number(rows[0]?.[0]), oldest: rows[0]?.[1] ?? null });
        // What is left has its turn beside the next refresh: so none holds the connection for long, or is begun after a stop.
        if (removed >= PRUNED_AT_ONCE) this.#doneAt = Number.NEGATIVE_INFINITY;
      } finally {
        await lease.end();
      }
    } catch (error) {
      this.#status.lookedAfter(undefined, error instanceof Error ? error.message : String(error));
    }
  }
}
