/** The part of the contract that is about being told of changes. */
import assert from 'node:assert/strict';
import { type Duration, parseDuration } from '../src/duration.ts';
import type { Source } from '../src/source.ts';
import { type Clause, context, rowsFor } from './harness.ts';

/** The checks of a source with `watch`. A nudge too many is none too few: none of them counts nudges. */
export function watchClauses<T>(nudgeWithin: Duration): Clause<T>[] {
  const patienceMs = parseDuration(nudgeWithin);
  if (patienceMs === undefined || !(patienceMs > 0)) {
    throw new TypeError(`expected nudgeWithin to be a duration greater than 0, got ${String(nudgeWithin)}`);
  }
  const clauses: Clause<T>[] = [
    [
      'nudges whenever something has changed',
      async (harness) => {
        await harness.setRows(rowsFor(harness, 'abc'));
        const bell = await hang(harness.source, patienceMs);
        for (const rows of [rowsFor(harness, 'abc', 9), rowsFor(harness, 'abcd', 9), rowsFor(harness, 'a', 9)]) {
          await bell.ringsAfter(() => harness.setRows(rows));
        }
        await bell.takeDown();
      },
    ],
    [
      'nudges every watch that stands, and no other',
      async (harness) => {
        await harness.setRows(rowsFor(harness, 'abc'));
        const [ended, standing] = [await hang(harness.source, patienceMs), await hang(harness.source, patienceMs)];
        await Promise.all([ended.rings(), standing.ringsAfter(() => harness.setRows(rowsFor(harness, 'abc', 9)))]);
        await ended.takeDown();
        const before = ended.count;
        await standing.ringsAfter(() => harness.setRows(rowsFor(harness, 'abc', 19)));
        // Once more, so that what comes late has come.
        await standing.ringsAfter(() => harness.setRows(rowsFor(harness, 'abc', 29)));
        assert.equal(ended.count, before, 'a watch that was ended has nudged');
        await standing.takeDown();
      },
    ],
    [
      'can be watched again',
      async (harness) => {
        await harness.setRows(rowsFor(harness, 'abc'));
        await (await hang(harness.source, patienceMs)).takeDown();
        const bell = await hang(harness.source, patienceMs);
        await bell.ringsAfter(() => harness.setRows(rowsFor(harness, 'abc', 9)));
        await bell.takeDown();
      },
    ],
    [
      'gives up where the signal is aborted while the watch is set up',
      async (harness) => {
        await harness.setRows(rowsFor(harness, 'abc'));
        const controller = new AbortController();
        const hanging = hang(harness.source, patienceMs, controller.signal);
        controller.abort(new Error('too late'));
        // It may have stood before it was told.
        const bell = await hanging.catch((error: unknown) => {
          assert.notEqual(error, TOO_LONG, 'the watch neither stands nor fails');
        });
        await bell?.takeDown();
      },
    ],
    [
      'sets up no watch where the signal is aborted already',
      async ({ source }) => {
        await assert.rejects(hang(source, patienceMs, AbortSignal.abort(new Error('too late'))), (error) => {
          return error !== TOO_LONG;
        });
      },
    ],
  ];
  return clauses.map(([title, body]) => [
    title,
    async (harness) => {
      if (harness.source.watch !== undefined) await body(harness);
    },
  ]);
}

const TOO_LONG = new Error('the source took longer than nudgeWithin');

/** What a watch rings. */
class Bell {
  count = 0;
  /** Rejects if the watch is lost. */
  readonly lost: Promise<never>;
  readonly lose: (error: unknown) => void;
  stop: () => Promise<void> = async () => undefined;
  readonly #patienceMs: number;
  #onRing: () => void = () => undefined;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    [this.lost, this.lose] = [promise, reject];
  }

  ring(): void {
    this.count += 1;
    this.#onRing();
  }

  /** Resolves at the next nudge. */
  rings(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onRing = resolve;
    return within(Promise.race([promise, this.lost]), this.#patienceMs);
  }

  async ringsAfter(change: () => Promise<void>): Promise<void> {
    const rung = this.rings();
    await Promise.all([change(), rung]);
  }

  async takeDown(): Promise<void> {
    await within(this.stop(), this.#patienceMs);
  }
}

/** A bell that the source rings; resolves when the watch stands. */
async function hang<T>(source: Source<T>, patienceMs: number, signal?: AbortSignal): Promise<Bell> {
  const bell = new Bell(patienceMs);
  bell.stop = await within(
    source.watch!(() => bell.ring(), { ...context(signal), lost: bell.lose }),
    patienceMs,
  );
  return bell;
}

async function within<R>(promise: Promise<R>, ms: number): Promise<R> {
  const { promise: tooLong, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(TOO_LONG), ms);
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
