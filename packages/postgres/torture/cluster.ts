/**
 * The servers of a run: a primary, and a standby that streams from it. Whichever server is the primary, it has the same
 * address, as behind a name that moves with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { copyOf, settingsOfCopy } from '../../../test/support/copy-of-postgres.ts';
import { freePort, type PrivatePostgres, startPrivatePostgres } from '../../../test/support/private-postgres.ts';
import { INSTALL, TABLES } from './schema.ts';

const SETTINGS = {
  max_connections: '80',
  wal_keep_size: '1GB',
  max_wal_size: '2GB',
  deadlock_timeout: '50ms',
  // Else a standby starts from a checkpoint that may be minutes away.
  checkpoint_timeout: '30s',
};

export class Cluster {
  #primary: PrivatePostgres;
  #standby: PrivatePostgres | undefined;
  readonly #ports: { readonly primary: number; readonly standby: number };

  private constructor(primary: PrivatePostgres, standbyPort: number) {
    this.#primary = primary;
    this.#ports = { primary: primary.port, standby: standbyPort };
  }

  static async start(): Promise<Cluster> {
    const primary = await startPrivatePostgres({ settings: SETTINGS });
    try {
      const cluster = new Cluster(primary, await freePort());
      await cluster.query(`${TABLES}`);
      await cluster.query(INSTALL);
      await cluster.rebuildStandby();
      return cluster;
    } catch (error) {
      await primary.stop();
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
    return this.#primary.url;
  }

  get standbyUrl(): string {
    return this.#primary.url.replace(`:${this.#ports.primary}/`, `:${this.#ports.standby}/`);
  }

  async query<Row>(text: string, url: string = this.primaryUrl): Promise<Row[]> {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 20_000 });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows as Row[];
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** A new standby from the primary as it is now. */
  async rebuildStandby(): Promise<void> {
    await this.#standby?.stop();
    this.#standby = await startPrivatePostgres({
      port: this.#ports.standby,
      settings: { ...SETTINGS, ...settingsOfCopy(this.#primary) },
      data: copyOf(this.#primary, 'standby'),
    });
  }

  /** The primary dies, and the standby, which may have died before, takes its place as far as it has come. */
  async promote(): Promise<void> {
    const promoted = this.standby;
    await this.#primary.kill();
    await promoted.restart();
    await this.query('select pg_promote(true, 30)', promoted.url);
    await this.#primary.stop();
    this.#standby = undefined;
    this.#primary = promoted;
    await promoted.restart(this.#ports.primary);
  }

  /** A server that holds what there is now, and waits to be gone back to. */
  async backUp(): Promise<PrivatePostgres> {
    const backup = await startPrivatePostgres({
      settings: { ...SETTINGS, ...settingsOfCopy(this.#primary) },
      data: copyOf(this.#primary, 'recovery'),
    });
    await this.#until(
      async () => (await this.query<{ is: boolean }>('select pg_is_in_recovery() as is', backup.url))[0]?.is === false,
    );
    return backup;
  }

  /** What was written since the backup has never been. */
  async restore(backup: PrivatePostgres): Promise<void> {
    await this.#primary.stop();
    this.#primary = backup;
    await backup.restart(this.#ports.primary);
  }

  /** Until the standby has replayed all there is. */
  async caughtUp(): Promise<void> {
    const [{ lsn } = { lsn: '0/0' }] = await this.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
    const behind = `select coalesce(pg_last_wal_replay_lsn(), pg_last_wal_receive_lsn()) >= '${lsn}'::pg_lsn as ok`;
    await this.#until(async () => (await this.query<{ ok: boolean }>(behind, this.standbyUrl))[0]?.ok === true);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#primary.stop(), this.#standby?.stop()]);
  }

  async #until(condition: () => Promise<boolean>): Promise<void> {
    for (let waited = 0; waited < 30_000; waited += 20) {
      if (await condition()) return;
      await sleep(20);
    }
    throw new Error('the servers did not get there in 30 s');
  }
}
