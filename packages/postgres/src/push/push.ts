/** What a source needs of push: a `watch`, where there can be one, and what to say about it. */
import type { Source } from 'evercache';
import type { PostgresClient } from '../clients.ts';
import type { Trail } from '../following/trail.ts';
import { Bell } from './bell.ts';
import type { ResolvedPush } from './push-options.ts';
import { wayTo } from './way.ts';

type Watch = NonNullable<Source<unknown>['watch']>;

export interface Push {
  readonly watch?: Watch;
  /** To be called when a position was found: whoever has rung in vain rings now. */
  resume(): void;
  status(): Record<string, unknown>;
}

const IN_VAIN = 'rings start no refresh while everything is read each time';

/** Sources with the same client and connection string have one bell, and so one connection. */
const bells = new WeakMap<PostgresClient, Map<string | undefined, Bell>>();

/** `trail`: says whether a ring is worth a refresh. */
export function pushFor(
  client: PostgresClient,
  { connectionString }: ResolvedPush,
  trail: Pick<Trail, 'mayFollow'>,
): Push {
  const way = wayTo(client, connectionString);
  if (way === undefined) {
    const warning = 'PGlite has no second connection, and only this process writes to it: refresh() tells at once';
    return { resume: () => undefined, status: () => ({ mode: 'leader', state: 'off', warning }) };
  }
  const ofClient = bells.get(client) ?? new Map<string | undefined, Bell>();
  bells.set(client, ofClient);
  const bell = ofClient.get(connectionString) ?? new Bell(way);
  ofClient.set(connectionString, bell);
  return ofBell(bell, trail);
}

/** While changes cannot be followed each ring would be a reading of everything, so none is passed on. */
function ofBell(bell: Bell, trail: Pick<Trail, 'mayFollow'>): Push {
  const inVain = new Set<() => void>();
  const watch: Watch = async (nudge, context) => {
    const ring = (): void => {
      if (trail.mayFollow) nudge();
      else inVain.add(nudge);
    };
    const forget = (): boolean => inVain.delete(nudge);
    try {
      const end = await bell.watch(ring, context);
      return () => {
        forget();
        return end();
      };
    } catch (error) {
      forget();
      throw error;
    }
  };
  return {
    watch,
    resume: () => {
      for (const nudge of inVain) nudge();
      inVain.clear();
    },
    // That the bell is not even heard is the better reason.
    status: () => ({ ...(trail.mayFollow ? {} : { warning: IN_VAIN }), ...bell.status() }),
  };
}
