import { describe, expect, test } from 'vitest';
import { type Source, TTLCacheService } from '../src/index.ts';
import { settle } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';
import { SteadyClock } from './support/set-up.ts';

expectNoUnhandledRejections();

/** The life of a call: the request is sent, the source reads what it answers, the answer lands. */
const STEPS = ['sent', 'read', 'landed'] as const;
type Step = (typeof STEPS)[number];

/** A call that takes its steps when the test says so. */
interface Call {
  readonly read: () => void;
  readonly land: () => void;
}

/** A source that follows changes; by hand, a call reads and answers when it is told to. */
class Stepwise implements Source<string> {
  readonly #truth = new Map(Object.entries({ a: 'old', b: 'b' }));
  /** The keys that were written, oldest first: a position is a number of them. */
  readonly #written: string[] = [];
  readonly calls: Call[] = [];
  byHand = false;
  singleReads = 0;
  fails = false;
  readonly fetchOne?: NonNullable<Source<string>['fetchOne']>;
  readonly fetchMany?: NonNullable<Source<string>['fetchMany']>;

  constructor(single: 'fetchOne' | 'fetchMany' | 'none') {
    if (single === 'fetchOne') this.fetchOne = (key) => this.#single(() => this.#truth.get(key));
    if (single === 'fetchMany') this.fetchMany = () => this.#single(() => new Map(this.#truth));
  }

  /** `undefined`: deletes. */
  write(key: string, value: string | undefined): void {
    if (value === undefined) this.#truth.delete(key);
    else this.#truth.set(key, value);
    this.#written.push(key);
  }

  fetchAll(): Promise<{ entries: Map<string, string>; cursor: number }> {
    return this.#ask(() => ({ entries: new Map(this.#truth), cursor: this.#written.length }));
  }

  fetchChanges(since: unknown): Promise<{ upserts: Map<string, string>; deletes: string[]; cursor: number }> {
    return this.#ask(() => {
      const changed = [...new Set(this.#written.slice(since as number))];
      return {
        upserts: new Map([...this.#truth].filter(([key]) => changed.includes(key))),
        deletes: changed.filter((key) => !this.#truth.has(key)),
        cursor: this.#written.length,
      };
    });
  }

  async #single<A>(read: () => A): Promise<A> {
    this.singleReads += 1;
    if (this.fails) throw Object.assign(new Error('refused'), { reachable: true });
    return this.#ask(read);
  }

  #ask<A>(read: () => A): Promise<A> {
    if (!this.byHand) return Promise.resolve(read());
    const { promise, resolve } = Promise.withResolvers<A>();
    let answer: A | undefined;
    const readNow = (): void => {
      answer ??= read();
    };
    this.calls.push({
      read: readNow,
      land: () => {
        readNow();
        resolve(answer!);
      },
    });
    return promise;
  }
}

type Single = 'fetchOne' | 'fetchMany';

interface Life {
  readonly source: Stepwise;
  readonly cache: TTLCacheService<string>;
  readonly clock: SteadyClock;
  /** Takes the next step of a call; sends it if that is its first. */
  readonly step: (who: 'fetch' | 'round', step: Step) => Promise<void>;
  /** Lets everything that is under way, or follows from it, come to its end. */
  readonly end: () => Promise<void>;
}

async function begin(single: Single | 'none', round: 'delta' | 'snapshot'): Promise<Life> {
  const clock = new SteadyClock();
  const source = new Stepwise(single);
  const guard = { acceptAfter: 1 };
  const cache = new TTLCacheService<string>({ name: 'test', source, clock, guard, refreshInterval: '1h', ttl: '2h' });
  await cache.start();
  source.byHand = true;
  const calls = new Map<string, Call>();
  const step = async (who: 'fetch' | 'round', step: Step): Promise<void> => {
    if (step === 'sent') {
      if (who === 'fetch') void cache.fetch('a', { fresh: true });
      else void cache.refresh({ full: round === 'snapshot' });
      await settle();
      calls.set(who, source.calls.at(-1)!);
    } else if (step === 'read') calls.get(who)!.read();
    else calls.get(who)!.land();
    await settle();
  };
  const end = async (): Promise<void> => {
    source.byHand = false;
    for (const { land } of source.calls) land();
    await settle();
  };
  return { source, cache, clock, step, end };
}

/** All orders in which a fetch and a round can take their steps. */
function* orders(fetch = 0, round = 0): Generator<(readonly ['fetch' | 'round', Step])[]> {
  if (fetch === STEPS.length && round === STEPS.length) yield [];
  if (fetch < STEPS.length) for (const rest of orders(fetch + 1, round)) yield [['fetch', STEPS[fetch]!], ...rest];
  if (round < STEPS.length) for (const rest of orders(fetch, round + 1)) yield [['round', STEPS[round]!], ...rest];
}

const at = (order: readonly (readonly [string, Step])[], who: string, step: Step): number =>
  order.findIndex(([caller, taken]) => caller === who && taken === step);

describe.each(['fetchOne', 'fetchMany'] as const)('with %s, a fetch and', (single) => {
  describe.each(['delta', 'snapshot'] as const)('a %s', (round) => {
    test.each([
      ['changed', 'new'],
      ['deleted', undefined],
    ] as const)('in whatever order they were sent, read and landed, around a row that is %s', async (_, value) => {
      for (const order of orders()) {
        for (let change = 0; change <= order.length; change += 1) {
          const { source, cache, step, end } = await begin(single, round);
          const told = `${order.map((taken) => taken.join(' ')).join(', ')}; the row changes before step ${change}`;
          for (const [index, taken] of [...order, undefined].entries()) {
            if (index === change) source.write('a', value);
            if (taken) await step(...taken);
          }
          const reads = source.singleReads;
          await end();
          await cache.refresh();
          expect([told, cache.get('a')]).toEqual([told, value]);
          // Nothing is read again where one had landed before the other was sent.
          const overlapped =
            at(order, 'fetch', 'sent') < at(order, 'round', 'landed') &&
            at(order, 'round', 'sent') < at(order, 'fetch', 'landed');
          if (!overlapped) expect([told, source.singleReads]).toEqual([told, reads]);
          await cache.stop();
        }
      }
    });

    test('never show, once it was invalidated, what a row was before', async () => {
      for (const order of orders()) {
        for (let change = 0; change <= order.length; change += 1) {
          const { source, cache, step, end } = await begin(single, round);
          const told = `${order.map((taken) => taken.join(' ')).join(', ')}; invalidated before step ${change}`;
          for (const [index, taken] of [...order, undefined].entries()) {
            if (index === change) {
              source.write('a', 'new');
              await cache.invalidate('a');
            }
            if (taken) await step(...taken);
            if (index >= change) expect([told, cache.get('a')]).not.toEqual([told, 'old']);
          }
          await end();
          expect([told, cache.get('a')]).toEqual([told, 'new']);
          await cache.stop();
        }
      }
    });
  });

  test('a delta that overlap: the fetch, sent later, stays, and the next refresh reads the key again', async () => {
    const { source, cache, clock, step, end } = await begin(single, 'delta');
    await step('round', 'sent');
    await clock.advance('1s');
    await step('fetch', 'sent');
    await step('fetch', 'read');
    source.write('a', 'new');
    await step('round', 'landed');
    expect(cache.get('a')).toBe('new');
    await step('fetch', 'landed');
    // The position is beyond the change: no delta would ever bring it again.
    expect(cache.get('a')).toBe('old');
    await end();
    source.fails = true;
    for (let failure = 1; failure <= 2; failure += 1) {
      await clock.advance('1s');
      const report = await cache.refresh();
      expect(report).toMatchObject({ outcome: 'unchanged', kind: 'delta', error: { code: 'source-failed' } });
      // Nothing confirms it: it ages alone.
      expect(cache.inspect('a')).toMatchObject({ value: 'old', ageMs: failure * 1_000 });
      expect(cache.inspect('b').ageMs).toBe(0);
    }
    source.fails = false;
    const reads = source.singleReads;
    expect(await cache.refresh()).toMatchObject({ outcome: 'published', kind: 'delta', updated: 1 });
    expect(cache.inspect('a')).toMatchObject({ value: 'new', ageMs: 0 });
    await cache.refresh();
    expect(source.singleReads).toBe(reads + 1);
    await cache.stop();
  });

  test('deltas have honest ages: one fetched singly keeps its own until a refresh that was sent later', async () => {
    const { cache, clock, step, end } = await begin(single, 'delta');
    const ages = (): unknown[] => [cache.inspect('a').ageMs, cache.inspect('b').ageMs];
    await clock.advance('60s');
    await step('fetch', 'sent');
    await clock.advance('1s');
    await step('fetch', 'landed');
    expect(ages()).toEqual([1_000, 61_000]);
    await step('round', 'sent');
    await clock.advance('1s');
    await step('fetch', 'sent');
    await clock.advance('1s');
    await step('fetch', 'landed');
    await step('round', 'landed');
    // From the sending of the later fetch, and from that of the delta.
    expect(ages()).toEqual([1_000, 2_000]);
    await end();
    await clock.advance('1s');
    await cache.refresh();
    expect(ages()).toEqual([0, 0]);
    await cache.stop();
  });
});
