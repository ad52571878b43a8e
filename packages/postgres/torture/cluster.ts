/**
 * The servers of a run: a primary, and a standby that streams from it. Whichever server is the primary, it has the same
 * address, as behind a name that moves with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { copyOf } from '../../../test/support/copy-of-postgres.ts';
import { hasPgbouncer, type Pgbouncer, startPgbouncer } from '../../../test/support/pgbouncer.ts';
import { freePort, type PrivatePostgres, startPrivatePostgres } from '../../../test/support/private-postgres.ts';
import { isRunning } from '../../../test/support/process-tree.ts';
import { dumpInto } from './dump.ts';
import { INSTALL, OVERTAKE, TABLES } from './schema.ts';

const DATABASE = 'torture';

const SETTINGS = {
  max_connections: '80',
  wal_keep_size: '256MB',
  deadlock_timeout: '50ms',
  // Else a standby starts from a checkpoint that may be minutes away.
  checkpoint_timeout: '30s',
  wal_retrieve_retry_interval: '100ms',
};

export class Cluster {
  readonly pooler: Pgbouncer | undefined;
  #primary: PrivatePostgres;
  #standby: PrivatePostgres | undefined;
  readonly #ports: { readonly primary: number; readonly standby: number };

  private constructor(primary: PrivatePostgres, standbyPort: number, pooler: Pgbouncer | undefined) {
    this.#primary = primary;
    this.#ports = { primary: primary.port, standby: standbyPort };
    this.pooler = pooler;
  }

  static async start(): Promise<Cluster> {
    const primary = await startPrivatePostgres({ settings: SETTINGS });
    let cluster: Cluster | undefined;
    try {
      await query(primary.url, `create database ${DATABASE}`);
      const pooler = hasPgbouncer() ? await startPgbouncer(urlOf(primary)) : undefined;
      cluster = new Cluster(primary, await freePort(), pooler);
      await cluster.query(TABLES);
      await cluster.query(INSTALL);
      await cluster.rebuildStandby();
      return cluster;
    } catch (error) {
      await (cluster ?? primary).stop();
      throw error;
    }
  }

  get primary(): PrivatePostgres {
    return this.#primary;
  }

  get standby(): PrivatePostgres {
    if (this.#standby === undefined) throw new Error('expected a standby, got none');
    return this.#standby;
  }

  get primaryUrl(): string {
    return urlOf(this.#primary);
  }

  get standbyUrl(): string {
    return this.primaryUrl.replace(`:${this.#ports.primary}/`, `:${this.#ports.standby}/`);
  }

  query<Row>(text: string, url: string = this.primaryUrl): Promise<Row[]> {
    return query(url, text);
  }

  /** A new standby from the primary as it is now. */
  async rebuildStandby(): Promise<void> {
    await this.#standby?.stop();
    this.#standby = undefined;
    const copy = copyOf(this.#primary, 'standby', SETTINGS);
    this.#standby = await startPrivatePostgres({ port: this.#ports.standby, ...copy });
  }

  /** The primary dies, and the standby, which may have died before, takes its part as far as it has come. */
  async promote(): Promise<PrivatePostgres> {
    const promoted = this.standby;
    await this.#primary.kill();
    await promoted.restart();
    await until(async () => {
      await this.query('select pg_promote(false)', urlOf(promoted)).catch(() => {});
      return !(await isInRecovery(promoted));
    });
    this.#standby = undefined;
    return promoted;
  }

  /** A server that holds what there is now, and waits to be gone back to. */
  async backUp(): Promise<PrivatePostgres> {
    const backup = await startPrivatePostgres(copyOf(this.#primary, 'recovery', SETTINGS));
    await until(async () => !(await isInRecovery(backup)));
    return backup;
  }

  /** A young server that holds a dump of what there is now. */
  async dump(): Promise<PrivatePostgres> {
    const young = await startPrivatePostgres({ settings: SETTINGS, password: this.#primary.password });
    try {
      await this.query(`create database ${DATABASE}`, young.url);
      await withoutTruncate(this.primaryUrl, () => dumpInto(this.primaryUrl, urlOf(young)));
      return young;
    } catch (error) {
      await young.stop();
      throw error;
    }
  }

  /**
   * It has the address of the primary from now on. `overtaking`: others were there first, and wrote so much that its
   * transaction ids tell nobody any more that it had been behind.
   */
  async replacePrimary(by: PrivatePostgres, { overtaking }: { readonly overtaking: boolean }): Promise<void> {
    const former = this.#primary;
    try {
      if (overtaking) await query(urlOf(by), OVERTAKE);
    } catch (error) {
      await by.stop();
      throw error;
    }
    this.#primary = by;
    await former.stop();
    await by.restart(this.#ports.primary);
  }

  /** Until the standby has replayed all there is. */
  async caughtUp(): Promise<void> {
    const [{ lsn } = { lsn: '0/0' }] = await this.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
    const caughtUp = `select pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn as is`;
    await until(async () => {
      const [row] = await this.query<{ is: boolean | null }>(caughtUp, this.standbyUrl);
      return row?.is === true;
    });
  }

  /** Whatever a fault left half done: both servers run, and one follows the other. */
  async mend(): Promise<void> {
    this.#primary.thaw();
    if (!isRunning(this.#primary.pid)) await this.#primary.restart();
    await this.rebuildStandby();
  }

  async stop(): Promise<void> {
    await Promise.all([this.pooler?.stop(), this.#primary.stop(), this.#standby?.stop()]);
  }
}

/** A TRUNCATE between the snapshot of pg_dump and its locks would leave the items out, and the writers as they were. */
async function withoutTruncate(url: string, work: () => Promise<void>): Promise<void> {
  const client = new Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('begin; lock table items in access share mode');
    await work();
  } finally {
    await client.end().catch(() => {});
  }
}

async function isInRecovery(server: PrivatePostgres): Promise<boolean> {
  const [row] = await query<{ is: boolean }>(urlOf(server), 'select pg_is_in_recovery() as is');
  return row?.is !== false;
}

function urlOf({ url }: PrivatePostgres): string {
  return new URL(`/${DATABASE}`, url).href;
}

async function query<Row>(url: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 20_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows as Row[];
  } finally {
    await client.end().catch(() => {});
  }
}

/** Looks every 20 ms: a server does not call back. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 20) {
    if (await condition()) return;
    await sleep(20);
  }
  throw new Error('the servers did not get there in 30 s');
}
