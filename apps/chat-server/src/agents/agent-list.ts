/** Which agents there are for whom, by name: sorted once per change, however many ask. */
import type { TTLCacheService } from 'evercache';
import type { AgentConfiguration } from './rows.ts';

interface Sorted {
  /** The rows it was made of. An unchanged row is the same object. */
  readonly rows: readonly AgentConfiguration[];
  /** Names of those that everybody may use. */
  readonly open: readonly string[];
  readonly restricted: readonly AgentConfiguration[];
}

/**
 * `agents`: what is in memory. The answer is the same array as long as nothing has changed for whoever may use only what
 * everybody may.
 */
export function createAgentList(
  agents: Pick<TTLCacheService<AgentConfiguration>, 'entries' | 'revision'>,
  mayUse: (configuration: AgentConfiguration, userId: string) => boolean,
): (userId: string) => readonly string[] {
  let sorted = sort([]);
  let revision: number | undefined;
  return (userId) => {
    if (revision !== agents.revision) {
      ({ revision } = agents);
      // A refresh that reads everything is a revision, too.
      if (!isMadeOf(sorted, agents.entries())) sorted = sort(Array.from(agents.entries(), ([, row]) => row));
    }
    const theirs = sorted.restricted.filter((configuration) => mayUse(configuration, userId));
    return theirs.length === 0 ? sorted.open : [...sorted.open, ...theirs.map(({ agentName }) => agentName)].sort();
  };
}

function sort(rows: readonly AgentConfiguration[]): Sorted {
  return {
    rows,
    open: rows
      .filter(({ isPublic }) => isPublic)
      .map(({ agentName }) => agentName)
      .sort(),
    restricted: rows.filter(({ isPublic }) => !isPublic),
  };
}

function isMadeOf({ rows }: Sorted, entries: Iterable<readonly [string, AgentConfiguration]>): boolean {
  let count = 0;
  for (const [, configuration] of entries) {
    if (rows[count] !== configuration) return false;
    count += 1;
  }
  return count === rows.length;
}
