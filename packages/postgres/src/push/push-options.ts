/** The option `push`: whether a change is told as it happens, and over which connection. */
import type { PostgresClient } from '../clients.ts';
import { knowsWayFor } from './way.ts';

/** What a source needs in order to be told of changes. */
export interface PushSettings {
  /** `'off'`: a change is seen by the next refresh. `'leader'`: one instance looks at the log and rings for all. */
  readonly mode: PushMode;
  /**
   * The database itself, as `postgres://...`: not by way of a pooler, and the primary where the client reads a standby.
   * Needs the package `pg`. @default the settings of the client
   */
  readonly connectionString?: string;
}

export type PushMode = 'off' | 'leader';

/** Push that is wanted; `undefined`: it is off. */
export interface ResolvedPush {
  readonly mode: 'leader';
  readonly connectionString: string | undefined;
}

const MODES = "'off', 'leader' or { mode, connectionString }";
const KNOWN = ['mode', 'connectionString'];

/** Checks the option; `fail` throws. */
export function resolvePush(
  push: unknown,
  client: PostgresClient,
  fail: (option: string, expected: string, got: unknown) => never,
): ResolvedPush | undefined {
  const given: unknown = typeof push === 'string' ? { mode: push } : push;
  if (typeof given !== 'object' || given === null) fail('push', MODES, push);
  const unknown = Object.keys(given).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) fail('push', 'nothing but mode and connectionString', unknown);
  const { mode, connectionString } = given as Partial<PushSettings>;
  if (mode !== 'off' && mode !== 'leader') fail(typeof push === 'string' ? 'push' : 'push.mode', MODES, mode);
  if (connectionString !== undefined && (typeof connectionString !== 'string' || connectionString.trim() === '')) {
    // Never the value: it holds a password.
    fail(
      'push.connectionString',
      'the URL of a database',
      typeof connectionString === 'string' ? '' : connectionString,
    );
  }
  if (mode === 'off') return undefined;
  if (connectionString === undefined && !knowsWayFor(client)) {
    fail('push.connectionString', 'the URL of a database, since the settings of this client are not known', undefined);
  }
  return { mode, connectionString };
}
