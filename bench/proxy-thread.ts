/** A TcpProxy in a thread of its own, so that what it does is no work of the process that is measured. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { StatementCounts, TcpProxyTarget } from './tcp-proxy.ts';

export interface ProxyRequest {
  readonly delayMs?: number;
}

export class ProxyThread {
  /** The database's URL, by way of the proxy. */
  readonly url: string;
  readonly #worker: Worker;

  constructor(worker: Worker, url: string) {
    this.#worker = worker;
    this.url = url;
  }

  /** Makes each round trip so much longer, from the next request on. */
  async setDelay(delayMs: number): Promise<void> {
    await this.#ask({ delayMs });
  }

  /** All statements so far, by text. */
  counts(): Promise<StatementCounts> {
    return this.#ask({});
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  /** One request at a time. */
  async #ask(request: ProxyRequest): Promise<StatementCounts> {
    const answer = once(this.#worker, 'message');
    this.#worker.postMessage(request);
    const [counts] = (await answer) as [StatementCounts];
    return counts;
  }
}

/** Starts a proxy before the database of that URL. */
export async function startProxy(databaseUrl: string): Promise<ProxyThread> {
  const url = new URL(databaseUrl);
  const target: TcpProxyTarget = { host: url.hostname, port: Number(url.port || 5432) };
  const worker = new Worker(new URL('./proxy-worker.ts', import.meta.url), { workerData: target });
  const [port] = (await once(worker, 'message')) as [number];
  url.host = `127.0.0.1:${port}`;
  return new ProxyThread(worker, url.href);
}

/** What was executed between two counts, by text. */
export function countsBetween(before: StatementCounts, after: StatementCounts): StatementCounts {
  return Object.fromEntries(
    Object.entries(after)
      .map(([text, count]) => [text, count - (before[text] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

export function totalOf(counts: StatementCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
