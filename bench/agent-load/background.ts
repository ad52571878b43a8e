/**
 * What the caches ask the database on their own: servers side by side in real time, one a thousand times as busy as the
 * other.
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
  readonly seconds: number;
}

const LONGEST_LABEL = 90;

export async function backgroundStatements(options: BackgroundOptions): Promise<Measurement[]> {
  const { databaseUrl, conversations, rates, seconds } = options;
  const open: { stop(): Promise<void> }[] = [];
  try {
    const servers = await Promise.all(
      rates.map(async (rate) => {
        const proxy = await startProxy(databaseUrl);
        open.push(proxy);
        const server = await startLoadProcess({ contender: 'cached', databaseUrl: proxy.url, conversations });
        open.push(server);
        await server.run({ kind: 'each' });
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
