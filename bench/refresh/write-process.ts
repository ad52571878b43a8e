/** A process that writes, so that writing costs the process that is measured nothing: see write-process-client.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** The first message. The process answers when its clients are connected. */
export interface WriteProcessSetup {
  readonly databaseUrl: string;
  /** Of each of its clients. */
  readonly names: readonly number[];
  readonly rows: number;
}

/** Every later message. The process answers with a WriteResult. */
export type WriteRequest =
  /** Any row, one after the other, as fast as it goes, by a statement that is prepared once, or sent as text each time. */
  | { readonly kind: 'burst'; readonly seconds: number; readonly prepared: boolean }
  /** Each client the row of its name, after pauses that are random and of this length on average. */
  | { readonly kind: 'pace'; readonly seconds: number; readonly pauseMs: number };

export interface WriteResult {
  readonly commits: number;
  /** Of the processor, by this process. */
  readonly cpuMs: number;
  /** `pace`: who has committed which number, and when that was known here, in milliseconds of the system's clock. */
  readonly known: readonly (readonly [name: number, n: number, at: number])[];
}

interface Writer {
  readonly name: number;
  readonly client: pg.Client;
  written: number;
}

process.once('disconnect', () => process.exit());
process.once('message', async ({ databaseUrl, names, rows }: WriteProcessSetup) => {
  const writers = await Promise.all(
    names.map(async (name): Promise<Writer> => {
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      return { name, client, written: 0 };
    }),
  );
  process.on('message', async (request: WriteRequest) => {
    const before = process.cpuUsage();
    const until = performance.now() + request.seconds * 1000;
    const known: [number, number, number][] = [];
    const commits = await Promise.all(
      writers.map((writer) =>
        request.kind === 'burst'
          ? burst(writer, rows, request.prepared, until)
          : pace(writer, request.pauseMs, until, known),
      ),
    );
    const { user, system } = process.cpuUsage(before);
    const total = commits.reduce((sum, count) => sum + count, 0);
    process.send?.({ commits: total, cpuMs: (user + system) / 1000, known } satisfies WriteResult);
  });
  process.send?.('ready');
});

async function burst({ client }: Writer, rows: number, prepared: boolean, until: number): Promise<number> {
  let commits = 0;
  for (; performance.now() < until; commits += 1) {
    await client.query({
      ...(prepared ? { name: 'burst' } : undefined),
      text: 'update bench_rows set n = n + 1 where id = $1',
      values: [1 + Math.floor(Math.random() * rows)],
    });
  }
  return commits;
}

async function pace(
  writer: Writer,
  pauseMs: number,
  until: number,
  known: [name: number, n: number, at: number][],
): Promise<number> {
  const before = writer.written;
  while (performance.now() < until) {
    await sleep(Math.random() * 2 * pauseMs);
    const n = writer.written + 1;
    await writer.client.query({
      name: 'pace',
      text: 'update bench_rows set n = $2 where id = $1',
      values: [writer.name, n],
    });
    known.push([writer.name, n, Number(process.hrtime.bigint()) / 1e6]);
    writer.written = n;
  }
  return writer.written - before;
}
