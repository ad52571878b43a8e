import { expect, test } from 'vitest';
import type { WatchContext } from '../src/index.ts';
import { sourceContract } from '../testing/index.ts';
import { context, type Fault, failures, harness } from './support/contract-faults.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

const FAULTS: readonly Fault[] = [
  {
    fault: 'never nudges',
    check: 'nudges whenever something has changed',
    wrap: (source) => ({ ...source, watch: (_, given) => source.watch!(() => undefined, given) }),
  },
  {
    fault: 'nudges once only',
    check: 'nudges whenever something has changed',
    wrap: (source) => ({
      ...source,
      watch: (nudge, given) => {
        let rung = false;
        return source.watch!(() => {
          if (!rung) nudge();
          rung = true;
        }, given);
      },
    }),
  },
  {
    fault: 'nudges only who watched last',
    check: 'nudges every watch that stands, and no other',
    wrap: (source) => {
      let last: (() => void) | undefined;
      return {
        ...source,
        watch: (nudge, given) => {
          last = nudge;
          return source.watch!(() => nudge === last && nudge(), given);
        },
      };
    },
  },
  {
    fault: 'nudges after its end',
    check: 'nudges every watch that stands, and no other',
    wrap: (source) => ({
      ...source,
      watch: async (nudge, given) => {
        await source.watch!(nudge, given);
        return async () => undefined;
      },
    }),
  },
  {
    fault: 'can be watched once only',
    check: 'can be watched again',
    wrap: (source) => {
      let ended = false;
      return {
        ...source,
        watch: async (nudge, given) => {
          if (ended) throw new Error('ended');
          const end = await source.watch!(nudge, given);
          return async () => {
            ended = true;
            await end();
          };
        },
      };
    },
  },
  {
    fault: 'hangs where the watch is given up',
    check: 'gives up where the signal is aborted while the watch is set up',
    wrap: (source) => ({
      ...source,
      watch: async (nudge, given) => {
        await Promise.resolve();
        return given.signal.aborted ? new Promise(() => undefined) : source.watch!(nudge, given);
      },
    }),
  },
  {
    fault: 'watches without looking at the signal',
    check: 'sets up no watch where the signal is aborted already',
    wrap: (source) => ({
      ...source,
      watch: (nudge, { lost }: WatchContext) => source.watch!(nudge, { ...context, lost }),
    }),
  },
  {
    fault: 'loses its watch at a change',
    check: 'nudges whenever something has changed',
    wrap: (source) => ({
      ...source,
      watch: (_, given) => source.watch!(() => given.lost(new Error('lost')), given),
    }),
  },
];

test.each(FAULTS)('finds a source that $fault', async ({ check, wrap }) => {
  expect(await failures(wrap)).toContain(check);
});

test('refuses a time to nudge that is none', () => {
  for (const nudgeWithin of [0, -1, Number.NaN, 'soon']) {
    expect(() =>
      sourceContract(
        harness((source) => source),
        { nudgeWithin: nudgeWithin as never },
      ),
    ).toThrow(TypeError);
  }
});
