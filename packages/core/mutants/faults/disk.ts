/** What is kept over a restart. */
import type { Fault } from '../fault.ts';

export const DISK: readonly Fault[] = [
  {
    name: 'a file that can be read passes for a source that is up',
    promise: 5,
    file: 'source-calls.ts',
    find: 'const pass = call.ofKept === true ? NO_PASS : breaker.enter(call.insist === true);',
    replace: 'const pass = breaker.enter(call.insist === true);',
    caughtBy: {
      file: 'on-disk.test.ts',
      title: 'it says nothing about the source: a breaker that is open stays so, and keeps nobody from the file',
    },
  },
  {
    name: 'what is held is kept',
    promise: 6,
    file: 'whole-round.ts',
    find: 'if (status === undefined) {\n    staged.published();\n  } else {',
    replace: 'staged.published();\n  if (status !== undefined) {',
    caughtBy: { file: 'on-disk-invalidate.test.ts', title: 'is not in the file, nor is anything that came with it' },
  },
  {
    name: 'an invalidation resolves before it is on disk',
    promise: 2,
    file: 'service.ts',
    find: "this.#parts.refresher.nudge('invalidate', keys);\n    await noted;",
    replace: "this.#parts.refresher.nudge('invalidate', keys);\n    noted?.catch(() => {});",
    caughtBy: {
      file: 'on-disk-invalidate.test.ts',
      title: 'waits for a file system that does not answer no longer than for a source',
    },
  },
  {
    name: 'a key that was invalidated before a restart is taken for absent after it',
    promise: 2,
    file: 'kept-round.ts',
    find: '...fence.keysMarkedAfter(sent.ticket), ...unknown',
    replace: '...fence.keysMarkedAfter(sent.ticket)',
    caughtBy: { file: 'on-disk-invalidate.test.ts', title: 'is not taken for absent in a closed world' },
  },
  {
    name: 'an answer that was requested before an invalidation brings the key back to the disk',
    promise: 2,
    file: 'disk-keeper.ts',
    find: '.filter(([, at]) => at > order)',
    replace: '.filter(() => false)',
    caughtBy: { file: 'on-disk-invalidate.test.ts', title: 'is not brought back by a * that was sent before' },
  },
  {
    name: 'a file is served however old it is',
    promise: 10,
    file: 'kept-round.ts',
    find: ' || parts.now() - confirmedAt > maxAge',
    replace: '',
    caughtBy: {
      file: 'on-disk.test.ts',
      title: 'what is too old to be served is not, and start fails where it has to',
    },
  },
  {
    name: 'a wall clock that was set back makes a file younger',
    promise: 10,
    file: 'disk-moment.ts',
    find: 'Math.max(byWall, byUptime)',
    replace: 'byWall',
    caughtBy: {
      file: 'on-disk-age.test.ts',
      title: 'is true over a wall clock that was set back while the machine ran',
    },
  },
  {
    name: 'a file overwrites what was fetched before it was read',
    promise: 14,
    file: 'rounds.ts',
    find: "if (store.base.phase !== 'none' || store.knownKeys().length + store.negatives.size > 0) return undefined;",
    replace: '',
    caughtBy: {
      file: 'on-disk.test.ts',
      title: 'a fetch that came first is newer than the file, and so is one under way',
    },
  },
  {
    name: 'a delta that goes with another state is applied to this one',
    promise: 14,
    file: 'disk-reading.ts',
    find: 'commit.after !== this.#commit.id',
    replace: 'commit.after === undefined',
    caughtBy: {
      file: 'on-disk-damage.test.ts',
      title: 'of two processes with one file the last rename wins, and what the other adds is not taken for its own',
    },
  },
  {
    name: 'damaged rows are served',
    promise: 5,
    file: 'disk-frames.ts',
    find: 'return crc32(payload) === checksum;',
    replace: 'return true;',
    caughtBy: {
      file: 'on-disk-damage.test.ts',
      title: 'a file with any byte changed is an older truth, or ignored; an invalidation is not lost',
    },
  },
];
