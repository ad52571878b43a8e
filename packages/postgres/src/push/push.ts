/** What a source needs of push: a `watch`, where there can be one, and what to say about it. */
import type { Source } from 'evercache';
import type { PostgresClient } from '../clients.ts';
import { Bell } from './bell.ts';
import type { ResolvedPush } from './push-options.ts';
import { wayTo } from './way.ts';

export interface Push {
  readonly watch?: NonNullable<Source<unknown>['watch']>;
  status(): Record<string, unknown>;
}

/** Sources with the same client and connection string have one bell, and so one connection. */
const bells = new WeakMap<PostgresClient, Map<string | undefined, Bell>>();

export function pushFor(client: PostgresClient, { connectionString }: ResolvedPush): Push {
  const way = wayTo(client, connectionString);
  if (way === undefined) {
    const warning = 'PGlite has no second connection, and only this process writes to it: refresh() tells at once';
    return { status: () => ({ mode: 'leader', state: 'off', warning }) };
  }
  const ofClient = bells.get(client) ?? new Map<string | undefined, Bell>();
  bells.set(client, ofClient);
  const bell = ofClient.get(connectionString) ?? new Bell(way);
  ofClient.set(connectionString, bell);
  return { watch: (nudge, context) => bell.watch(nudge, context), status: () => bell.status() };
}
