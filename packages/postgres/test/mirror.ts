/** What tests of following share: the change log's SQL, and a copy that is kept as a cache would keep it. */
import { readFileSync } from 'node:fs';
import type { Cursor } from 'evercache';
import type { FollowingPostgresSource } from '../src/index.ts';
import { context } from './use-client.ts';

/** Installs the change log. */
export const CHANGE_LOG = readFileSync(new URL('../sql/change-log-1.sql', import.meta.url), 'utf8');

/** A table of 100 rows, and three that are joined: both followed. */
export const PRICES = `drop table if exists prices;
  create table prices (id int primary key, amount int, hidden boolean not null default false);
  insert into prices select n, n from generate_series(1, 100) as n;
  select evercache.follow('prices');`;

export const AGENTS = `drop table if exists agents, tools, agent_tools;
  create table agents (id int primary key);
  create table tools (id int primary key, name text);
  create table agent_tools (agent_id int, tool_id int, primary key (agent_id, tool_id));
  insert into agents select n from generate_series(1, 4) as n;
  insert into tools select n, 'tool ' || n from generate_series(1, 3) as n;
  insert into agent_tools values (1, 1), (1, 2), (2, 2), (3, 3);
  select evercache.follow('agents'), evercache.follow('tools'),
    evercache.follow('agent_tools', array['agent_id', 'tool_id']);`;

/** Does by hand what a cache does with a source: a delta where there is a position, else everything. */
export class Mirror<T> {
  readonly rows: Map<string, T> = new Map();
  /** Keys of the last delta. */
  upserted: readonly string[] = [];
  deleted: readonly string[] = [];
  /** Rows that deltas have brought. */
  read = 0;
  readonly rounds: { delta: number; snapshot: number; resync: number } = { delta: 0, snapshot: 0, resync: 0 };
  cursor: Cursor;
  readonly #source: FollowingPostgresSource<T>;

  constructor(source: FollowingPostgresSource<T>) {
    this.#source = source;
  }

  async refresh(): Promise<'delta' | 'snapshot' | 'resync'> {
    const kind = await this.#refresh();
    this.rounds[kind] += 1;
    return kind;
  }

  /** Keys of the delta: `+1 +2 -3`. */
  get changes(): string {
    return [...this.upserted.map((key) => `+${key}`), ...this.deleted.map((key) => `-${key}`)].toSorted().join(' ');
  }

  async #refresh(): Promise<'delta' | 'snapshot' | 'resync'> {
    const hadCursor = this.cursor !== undefined;
    const answer = hadCursor ? await this.#source.fetchChanges(this.cursor, context()) : 'resync';
    if (answer === 'resync') {
      const snapshot = await this.#source.fetchAll(context());
      this.rows.clear();
      for await (const [key, value] of snapshot.entries) this.rows.set(key, value);
      this.cursor = snapshot.cursor;
      return hadCursor ? 'resync' : 'snapshot';
    }
    const upserts: [string, T][] = [];
    for await (const [key, value] of answer.upserts) upserts.push([key, value]);
    this.deleted = [...answer.deletes];
    this.upserted = upserts.map(([key]) => key);
    this.read += upserts.length;
    for (const [key, value] of upserts) this.rows.set(key, value);
    for (const key of this.deleted) this.rows.delete(key);
    this.cursor = answer.cursor;
    return 'delta';
  }
}

/** Makes the table `items` hold these rows, and touches no other. */
export function scriptFor(rows: ReadonlyMap<string, number>): string {
  const wanted = `jsonb_to_recordset('${JSON.stringify([...rows].map(([id, n]) => ({ id, n }))).replaceAll("'", "''")}')
    as wanted(id text, n int)`;
  return `delete from items where id not in (select id from ${wanted});
    insert into items select id, n from ${wanted}
      on conflict (id) do update set n = excluded.n where items.n <> excluded.n`;
}
