/**
 * Random histories: rows change, rounds come and fail, keys are invalidated, processes are killed at any moment. What the
 * file says then is the truth at its position, for all keys but those that it knows nothing of.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DiskSource } from '../src/disk-source.ts';
import { type DiskSetUp, setUpDisk, temporaryDirectory } from './support/disk.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

const HISTORIES = 100;
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

type Step =
  | { readonly do: 'set' | 'delete' | 'invalidate' | 'fetch'; readonly key: string }
  | { readonly do: 'refresh' | 'full' | 'try' | 'invalidateAll' | 'fail' | 'answer' | 'kill' | 'restart' | 'settle' };

const step = (): fc.Arbitrary<Step> => {
  const key = fc.constantFrom(...KEYS);
  const keyed = (name: 'set' | 'delete' | 'invalidate' | 'fetch') =>
    key.map((chosen): Step => ({ do: name, key: chosen }));
  const plain = (name: Exclude<Step, { key: string }>['do']) => fc.constant<Step>({ do: name });
  return fc.oneof(
    { weight: 8, arbitrary: keyed('set') },
    { weight: 2, arbitrary: keyed('delete') },
    { weight: 4, arbitrary: keyed('invalidate') },
    { weight: 2, arbitrary: keyed('fetch') },
    { weight: 8, arbitrary: plain('refresh') },
    { weight: 2, arbitrary: plain('full') },
    { weight: 1, arbitrary: plain('try') },
    { weight: 1, arbitrary: plain('invalidateAll') },
    { weight: 2, arbitrary: plain('fail') },
    { weight: 3, arbitrary: plain('answer') },
    { weight: 5, arbitrary: plain('kill') },
    { weight: 2, arbitrary: plain('restart') },
    { weight: 3, arbitrary: plain('settle') },
  );
};

/** One process after the other over one file, and what has been true. */
class Life {
  #set: DiskSetUp<string>;
  readonly #directory: string;
  readonly #truths = new Map<number, ReadonlyMap<string, string>>();
  /** How many calls there had been when a key was invalidated last. */
  readonly #invalidated = new Map<string, number>();
  #values = 0;
  kills = 0;
  found = 0;

  private constructor(set: DiskSetUp<string>, directory: string) {
    this.#set = set;
    this.#directory = directory;
  }

  static async begin(): Promise<Life> {
    const directory = await temporaryDirectory();
    const set = await setUpDisk({ path: join(directory, 'rows'), rows: KEYS.map((key) => [key, 'first'] as const) });
    const life = new Life(set as DiskSetUp<string>, directory);
    life.#note();
    await set.cache.start();
    return life;
  }

  async take(step: Step): Promise<void> {
    const { cache, inner } = this.#set;
    if (step.do === 'set') inner.rows.set(step.key, `${++this.#values}`);
    else if (step.do === 'delete') inner.rows.delete(step.key);
    else if (step.do === 'invalidate') await this.#invalidate([step.key], () => cache.invalidate(step.key));
    else if (step.do === 'invalidateAll') await this.#invalidate(KEYS, () => cache.invalidateAll());
    else if (step.do === 'fetch') await cache.fetch(step.key, { fresh: true }).catch(() => {});
    else if (step.do === 'refresh') await cache.refresh();
    else if (step.do === 'full') await cache.refresh({ full: true });
    else if (step.do === 'try') await cache.refresh({ dryRun: true });
    else if (step.do === 'fail' || step.do === 'answer') inner.behave(step.do);
    else if (step.do === 'kill') await this.#look();
    else if (step.do === 'restart') await this.#restart();
    else await this.#set.machine.clock.advance(1);
    this.#note();
  }

  async end(): Promise<void> {
    await this.#set.cache.stop();
    await this.#look();
  }

  #note(): void {
    const { inner } = this.#set;
    this.#truths.set(inner.cursor, new Map(inner.rows));
  }

  async #invalidate(keys: readonly string[], invalidate: () => Promise<void>): Promise<void> {
    const { inner } = this.#set;
    // Whatever is asked from here on is asked later: also by the round that it starts at once.
    const mark = inner.calls.length;
    await invalidate();
    for (const key of keys) this.#invalidated.set(key, mark);
  }

  async #restart(): Promise<void> {
    this.#set = await this.#set.next();
    await this.#set.cache.start();
  }

  /** What a process that was killed now would leave. */
  async #look(): Promise<void> {
    this.kills += 1;
    const { inner, machine, path } = this.#set;
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) return;
    const copy = join(this.#directory, `copy ${this.kills}`);
    await writeFile(copy, bytes, { mode: 0o600 });
    const source = new DiskSource(inner, { path: copy }, machine.moment);
    const saved = await source.restore({ signal: new AbortController().signal, reason: 'restore' });
    const rows = new Map<string, string>();
    for await (const [key, row] of saved?.entries ?? []) rows.set(key, row);
    await source.stopped();
    expect(source.status()).not.toHaveProperty('disk.warning');
    if (saved === undefined) return;
    this.found += 1;
    this.#check(rows, saved.cursor as number, new Set(saved.unknown));
  }

  #check(rows: ReadonlyMap<string, string>, cursor: number, unknown: ReadonlySet<string>): void {
    const { inner } = this.#set;
    const truth = this.#truths.get(cursor)!;
    for (const key of KEYS) {
      if (unknown.has(key)) {
        expect(rows.has(key)).toBe(false);
        continue;
      }
      // What was invalidated may have been read again later than the rest.
      const invalidated = this.#invalidated.get(key);
      const later = [...this.#truths].filter(([position]) => position >= cursor).map(([, then]) => then.get(key));
      expect(invalidated === undefined ? [truth.get(key)] : later, key).toContain(rows.get(key));
      if (invalidated === undefined) continue;
      const calls = inner.calls.slice(invalidated);
      const asked = calls.some(({ method, keys }) => method === 'fetchAll' || keys.includes(key));
      expect(asked, `${key} is back, and nobody has asked for it since`).toBe(true);
    }
  }
}

test('whenever a process is killed, its file holds the truth at its position', async () => {
  let [kills, found] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step(), { minLength: 5, maxLength: 40 }), async (steps) => {
      const life = await Life.begin();
      for (const next of steps) await life.take(next);
      await life.end();
      kills += life.kills;
      found += life.found;
    }),
    { numRuns: HISTORIES },
  );
  expect(found).toBeGreaterThan(kills / 3);
  console.info(`${kills} kills, after ${found} of which there was a file`);
});
