/** What the tiers say of themselves in `status().source`: what runs, and what it cannot see. */
import type { FollowBy } from './follow-options.ts';

export interface TierTexts {
  readonly tier: 'change log' | 'xmin';
  readonly limits: string;
  /** The limits while it cannot run, and everything is read each time. */
  readonly limitsWithout: string;
  /** What an open transaction costs, until it ends. */
  readonly whilePinned: string;
}

/** What is read: one SELECT, or the tables of a mirror. */
type Extent = 'the SELECT' | 'the tables';

export function limitsOfSnapshots(extent: Extent): string {
  const whole = extent === 'the SELECT' ? 'the whole SELECT' : 'all tables';
  return `a change is seen by the next refresh, and every refresh reads ${whole}`;
}

export function textsOf(followBy: FollowBy, extent: Extent): TierTexts {
  const limitsWithout = limitsOfSnapshots(extent);
  const elsewhere =
    extent === 'the SELECT'
      ? 'what the SELECT computes from anything but'
      : 'what the `where` of a table computes from anything but';
  if (followBy === 'log') {
    return {
      tier: 'change log',
      limits:
        extent === 'the SELECT'
          ? `writes past triggers that are there and on, as replication extensions make them, tables that are not followed, and ${elsewhere} followed tables (other rows, the time, settings) are seen only by a refresh of everything`
          : `writes past triggers that are there and on, as replication extensions make them, and ${elsewhere} its row (the time, settings) are seen only by a refresh of everything`,
      limitsWithout,
      whilePinned: 'every refresh reads the log from its beginning',
    };
  }
  return {
    tier: 'xmin',
    limits:
      `a change is seen by the next refresh, which scans the whole table at the server; rows that come and go are always seen, ` +
      `but of those that stay ${elsewhere} the row of the table (other rows, the time, settings) only by a refresh of everything`,
    limitsWithout,
    whilePinned: 'every refresh goes through all rows that were written since',
  };
}
