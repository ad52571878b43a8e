/**
 * What the caches ask the database on their own: servers side by side, one a thousand times as busy as the other. They
 * ask by the clock, once every two minutes at the least, so their time passes faster.
 */
import type { Measurement } from '../bench.ts';
import { countsBetween, startProxy, totalOf } from '../proxy-thread.ts';
import type { StatementCounts } from '../tcp-proxy.ts';
import type { Conversation } from './data.ts';
import { startLoadProcess } from './load-process-client.ts';

interface BackgroundOptions {
  readonly databaseUrl: string;
  readonly conversations: readonly Conversation[];
  /** Loads per second, one server each. */
  readonly rates: readonly number[];
  /** Between the start of a server and what is counted; of its own time, as the next. */
  readonly secondsBefore: number;
  readonly seconds: number;
  readonly speedOfTime: number;
}

const LONGEST_LABEL = 90;

export async function backgroundStatements(options: BackgroundOptions): Promise<Measurement[]> {
  const { databaseUrl, conversations, rates, secondsBefore, seconds, speedOfTime } = options;
  const open: { stop(): Promise<void> }[] = [];
  try {
    const servers = await Promise.all(
      rates.map(async (rate) => {
        const proxy = await startProxy(databaseUrl);
        open.push(proxy);
        const server = await startLoadProcess(
          { contender: 'cached', databaseUrl: proxy.url, conversations },
          speedOfTime,
        );
        open.push(server);
        await server.run({ kind: 'each' });
        // However long that took, the count begins at the same point of the caches' lives.
        await server.run({ kind: 'wait', seconds: secondsBefore });
        return { rate, proxy, server };
      }),
    );
    const measured = await Promise.all(
      servers.map(async ({ rate, proxy, server }) => {
        const before = await proxy.counts();
        const { loads, tookMs } = await server.run({ kind: 'pace', perSecond: rate, seconds });
        const counts = countsBetween(before, await proxy.counts());
        const where = { case: caseAtRate(rate), contender: 'cached', ratio: null };
        const perMinute = (count: number) => ({ value: (count / seconds) * 60, unit: 'statements/min' });
        return [
          { ...where, metric: 'loads', value: (loads / tookMs) * 1000, unit: 'loads/s' },
          { ...where, metric: 'statements', ...perMinute(totalOf(counts)) },
          ...countByLabel(counts).map(([label, count]) => {
            return { ...where, metric: `of these: ${label}`, ...perMinute(count) };
          }),
        ];
      }),
    );
    return measured.flat();
  } finally {
    for (const part of open.reverse()) await part.stop();
  }
}

export function caseAtRate(rate: number): string {
  return `background at ${rate} loads/s`;
}

/** Statements that begin alike count as one. */
function countByLabel(counts: StatementCounts): [label: string, count: number][] {
  const byLabel = new Map<string, number>();
  for (const [text, count] of Object.entries(counts)) {
    const label = text.length > LONGEST_LABEL ? `${text.slice(0, LONGEST_LABEL)}…` : text;
    byLabel.set(label, (byLabel.get(label) ?? 0) + count);
  }
  return [...byLabel].sort();
}
