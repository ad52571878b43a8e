/**
 * How the connection of the bell is made: one of its own, by `pg`, with the settings of the client, or with those of
 * `push.connectionString`. The only place that knows what the clients keep about their settings.
 */
import { dirname } from 'node:path';
import type { PgQuery, PgResult, PostgresClient } from '../clients.ts';
import { PostgresError } from '../errors.ts';
import { loadPgClient } from '../pg-package.ts';

/** A `Client` of `pg`: what is used of it. */
export interface WireClient {
  connect(): Promise<unknown>;
  query(config: PgQuery): Promise<PgResult>;
  end(): Promise<void>;
  on(event: 'notification', listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  /** The native bindings have neither. */
  ref?(): void;
  unref?(): void;
  readonly connection?: { readonly stream?: { destroy(): void } };
}

type WireClientClass = new (settings: Record<string, unknown>) => WireClient;

/** Makes a client that is not yet connected. */
export type Way = (settings: Record<string, unknown>) => Promise<WireClient>;

interface PoolInternals {
  readonly Client?: WireClientClass;
  readonly options?: Record<string, unknown>;
}

/** Whether the client's settings are known. PGlite has none, and needs none. */
export function knowsWayFor(client: PostgresClient): boolean {
  return 'waitReady' in client || settingsOf(client) !== undefined;
}

/** `undefined`: no other connection can reach this database, since it runs in this process. */
export function wayTo(client: PostgresClient, connectionString: string | undefined): Way | undefined {
  if ('waitReady' in client) return undefined;
  const known = settingsOf(client);
  const chosen = connectionString === undefined ? known : { ssl: known?.ssl, connectionString };
  const { Client } = client as PoolInternals;
  return async (settings) => new (Client ?? (await loadClient()))({ ...chosen, ...settings });
}

function settingsOf(client: PostgresClient): Record<string, unknown> | undefined {
  const { options } = client as PoolInternals;
  if (typeof options !== 'object' || options === null) return undefined;
  return typeof client === 'function' ? fromPostgresJs(options) : fromPool(options);
}

function fromPool(options: Record<string, unknown>): Record<string, unknown> {
  // The pool hides its password from those who copy its options.
  return { ...options, password: options.password };
}

interface PostgresJsOptions {
  readonly host?: readonly string[];
  readonly port?: readonly number[];
  readonly path?: string | false;
  readonly user?: string;
  readonly pass?: unknown;
  readonly database?: string;
  readonly ssl?: unknown;
}

/** The first host, where there are several. */
function fromPostgresJs(options: PostgresJsOptions): Record<string, unknown> {
  const { host, port, path, user, pass, database, ssl } = options;
  const unverified = ssl === 'require' || ssl === 'allow' || ssl === 'prefer';
  return {
    host: typeof path === 'string' ? dirname(path) : host?.[0],
    port: port?.[0],
    user,
    password: pass,
    database,
    ssl: unverified ? { rejectUnauthorized: false } : ssl === 'verify-full' ? true : ssl,
  };
}

async function loadClient(): Promise<WireClientClass> {
  const Client = await loadPgClient();
  if (Client !== undefined) return Client as unknown as WireClientClass;
  throw new PostgresError({ message: 'push needs the package pg: npm install pg', reachable: true });
}
