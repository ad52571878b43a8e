/** One session that writes at random, and knows which of its transactions were committed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Chance } from './chance.ts';
import type { Deed, Step } from './deeds.ts';
import type { Gate } from './gate.ts';
import type { History } from './history.ts';
import type { Tally } from './tally.ts';

interface WriterParts {
  readonly name: string;
  readonly url: string;
  readonly chance: Chance;
  readonly deed: () => Deed;
  readonly history: History;
  readonly gate: Gate;
  readonly tally: Tally;
}

export class Writer {
  readonly #parts: WriterParts;
  #client: Client | undefined;
  #isOver = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  async run(): Promise<void> {
    const { gate, tally, deed } = this.#parts;
    while (!this.#isOver) {
      await gate.pass();
      const next = deed();
      try {
        await this.#transaction(await this.#connected(), next);
      } catch (error) {
        tally.count(`writers: ${reasonOf(error)}`);
        await this.#recover();
      }
    }
    await this.#client?.end().catch(() => {});
  }

  /** After the transaction under way. */
  end(): void {
    this.#isOver = true;
  }

  async #transaction(client: Client, { name, steps }: Deed): Promise<void> {
    const { chance, history, tally, name: writer } = this.#parts;
    const { epoch } = history;
    const step: Step = { chance, run: (text) => client.query(text), pause: sleep };
    await client.query('begin');
    await steps(step);
    if (chance.oneIn(8)) {
      await client.query('rollback');
      tally.count('writers: rolled back');
      return;
    }
    const { rows } = await client.query(
      'update writers set commits = commits + 1, epoch = $2 where id = $1 returning commits',
      [writer, epoch],
    );
    const mark = { epoch, commits: rows[0].commits as number };
    history.committing(writer, mark);
    await client.query('commit');
    // What was lost with its epoch was acknowledged all the same, and is to be forgotten.
    if (history.epoch === epoch) history.committed(writer, mark);
    tally.count(`writers: ${name}`);
  }

  async #connected(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    const { url, name, history } = this.#parts;
    const client = new Client({
      connectionString: url,
      application_name: 'torture writer',
      connectionTimeoutMillis: 2000,
      options: `-c torture.writer=${name}`,
    });
    client.on('error', () => this.#drop(client));
    await client.connect();
    const { epoch } = history;
    const { rows } = await client.query('select epoch, commits from writers where id = $1', [name]);
    if (rows[0].commits > 0 && history.epoch === epoch) history.committed(name, rows[0]);
    this.#client = client;
    return client;
  }

  /** A refused statement leaves the session whole, a lost connection does not. */
  async #recover(): Promise<void> {
    const client = this.#client;
    try {
      await client?.query('rollback');
    } catch {
      if (client !== undefined) this.#drop(client);
    }
    if (this.#client === undefined) await sleep(this.#parts.chance.whole(20, 100));
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    client.end().catch(() => {});
  }
}

function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === '40P01') return 'deadlock';
  if (code === '55P03') return 'waited too long for a lock';
  if (code === '23505') return 'key was taken';
  return 'connection lost';
}
