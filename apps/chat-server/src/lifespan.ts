/**
 * From start to stop: the database gets its tables, the caches start, and at the end they stop in reverse. The server
 * answers meanwhile: a database that is down delays the caches, not the process, and is tried again until it is there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyCache } from 'evercache';
import { logCache } from './cache-log.ts';
import { type Caches, TTL_MS } from './caches.ts';
import type { Database } from './database.ts';
import { HttpError } from './errors.ts';
import type { InFlight } from './in-flight.ts';
import type { Log } from './log.ts';
import { migrate } from './migrate.ts';
import type { Readiness, ReadinessCheck } from './routes/health.ts';
import { type SeedReport, seed } from './seed.ts';
import { initializeToolCache, shutdownToolCache } from './tool-cache-service.ts';
import { STALE_IF_ERROR_MS } from './tool-mirror.ts';

export interface LifespanOptions {
  readonly database: Database;
  readonly caches: Caches;
  readonly inFlight: InFlight;
  readonly log: Log;
  /** Write the demo into a database that has not had it. Default true. */
  readonly seedDemo?: boolean | undefined;
  /** The caches can start out of files while the database is down. Default false. */
  readonly hasSnapshots?: boolean;
}

/** The caches without which no request can be answered. */
const REQUIRED_CACHES = ['tools', 'agents', 'apiKeys'] as const;

/** Pause before a further attempt to prepare the database: doubles from the first to the longest. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** So long caches with snapshots wait for a database that neither answers nor fails. */
const PATIENCE_MS = 1000;

/** For answers that were told to end, to do so. */
const ABORT_GRACE_MS = 1000;

export class Lifespan {
  readonly #options: LifespanOptions;
  readonly #stop = new AbortController();
  #stopped: Promise<void> | undefined;
  #isEarly = false;
  #phase: 'preparing' | 'running' | 'draining' = 'preparing';

  constructor(options: LifespanOptions) {
    this.#options = options;
  }

  /** No new work is taken; what is under way may finish. */
  get draining(): boolean {
    return this.#phase === 'draining';
  }

  /** Whether requests should be sent here, with a reason for each part. */
  readiness(): Readiness {
    const { caches } = this.#options;
    const checks: Record<string, ReadinessCheck> = {
      process: { ok: this.#phase === 'running', phase: this.#phase },
    };
    for (const name of REQUIRED_CACHES) {
      checks[`cache:${caches[name].name}`] = checkCache(caches[name], TTL_MS[name] + STALE_IF_ERROR_MS);
    }
    return { ready: Object.values(checks).every(({ ok }) => ok), checks };
  }

  /**
   * Brings the database to its state and starts the caches; tries for as long as it takes. Answers what the seed had
   * to say, or `undefined` if the server was stopped before.
   */
  async start(): Promise<SeedReport | undefined> {
    const { database, caches, log, seedDemo = true, hasSnapshots = false } = this.#options;
    for (const cache of caches.registry) logCache(cache, log);
    const patience = hasSnapshots ? setTimeout(() => void this.#startEarly(), PATIENCE_MS).unref() : undefined;
    for (let pause = FIRST_PAUSE_MS; !this.#stop.signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        await migrate(database, log);
        const report = seedDemo ? await seed(database) : { demoApiKey: undefined };
        if (this.#stop.signal.aborted) return undefined;
        clearTimeout(patience);
        await this.#startCaches();
        // They may have looked while the tables were not what they are now.
        if (this.#isEarly) await Promise.all([...caches.registry].map((cache) => cache.refresh()));
        return report;
      } catch (error) {
        log.error({ err: error, retryInMs: pause }, 'the database could not be prepared');
        if (hasSnapshots) void this.#startEarly();
        await sleep(pause, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
    return undefined;
  }

  /** Out of their files, before the database is prepared. */
  #startEarly(): Promise<void> {
    this.#isEarly = true;
    return this.#startCaches();
  }

  /** Safe to repeat. */
  async #startCaches(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await initializeToolCache(this.#options.caches);
    if (this.#phase === 'preparing') this.#phase = 'running';
  }

  /** Refuses new work, and waits `graceMs` for what is under way; what has not finished by then is stopped. */
  async drain(graceMs: number): Promise<void> {
    const { inFlight, log } = this.#options;
    this.#phase = 'draining';
    this.#stop.abort();
    log.info({ inFlight: inFlight.size, graceMs }, 'draining');
    await within(graceMs, inFlight.idle());
    if (inFlight.size === 0) return;
    log.warn({ inFlight: inFlight.size }, 'stopping answers that are still under way');
    inFlight.abort(new HttpError('shutting_down', 'This server is shutting down. Try again.'));
    await within(ABORT_GRACE_MS, inFlight.idle());
  }

  /** Stops the caches, then closes the database. After the last answer. Safe to call twice. */
  stop(): Promise<void> {
    this.#phase = 'draining';
    this.#stop.abort();
    this.#stopped ??= shutdownToolCache().then(() => this.#options.database.close());
    return this.#stopped;
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([work, sleep(ms, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}

/** Loaded, and not older than it may be served: also while stale. */
function checkCache(cache: Pick<AnyCache, 'status'>, maxAgeMs: number): ReadinessCheck {
  const { state, ageMs } = cache.status();
  return { ok: ageMs !== undefined && ageMs <= maxAgeMs, state, ageMs: ageMs === undefined ? null : Math.round(ageMs) };
}
