import { describe, expect, test } from 'vitest';
import type { Delta, Snapshot } from '../src/index.ts';
import { ScriptedSource, type SourceMethod, settle, VirtualClock } from '../testing/index.ts';
import { expectNoUnhandledRejections } from './support/no-unhandled-rejections.ts';

expectNoUnhandledRejections();

interface Told {
  readonly upserts: Record<string, unknown>;
  readonly deletes: unknown[];
  readonly cursor: unknown;
}

const methods: readonly SourceMethod[] = ['fetchAll', 'fetchOne', 'fetchMany', 'fetchChanges', 'watch'];
const context = { signal: new AbortController().signal, reason: 'test' };

const make = (): { clock: VirtualClock; source: ScriptedSource<number> } => {
  const clock = new VirtualClock();
  return { clock, source: new ScriptedSource<number>({ clock, methods, rows: Object.entries({ a: 1, b: 2, c: 3 }) }) };
};

/** What the source tells of its changes, read as a cache does. */
async function tell(answering: Promise<Delta<number> | 'resync'>): Promise<Told | 'resync'> {
  const answer = await answering;
  if (answer === 'resync') return answer;
  const upserts: [unknown, unknown][] = [];
  for await (const [key, value] of answer.upserts) upserts.push([key, value]);
  return { upserts: Object.fromEntries(upserts), deletes: [...answer.deletes], cursor: answer.cursor };
}

describe('a scripted source that follows changes', () => {
  test('gives a position with its snapshot, and what has changed since', async () => {
    const { source } = make();
    const { entries, cursor } = (await source.fetchAll!(context)) as Snapshot<number>;
    expect(entries).toEqual(source.rows);
    expect(await tell(source.fetchChanges!(cursor, context))).toEqual({ upserts: {}, deletes: [], cursor });
    source.rows.set('a', 9);
    source.rows.delete('b');
    source.rows.delete('missing');
    source.rows.set('d', 4);
    source.rows.set('e', 5);
    source.rows.delete('e');
    source.rows.delete('c');
    source.rows.set('c', 3);
    const changes = await tell(source.fetchChanges!(cursor, context));
    expect(changes).toEqual({ upserts: { a: 9, c: 3, d: 4 }, deletes: ['b', 'e'], cursor: source.cursor });
    expect(source.calls.at(-1)).toMatchObject({ since: cursor, deletes: ['b', 'e'], cursor: source.cursor });
    const { cursor: now } = source;
    source.rows.clear();
    const emptied = await tell(source.fetchChanges!(now, context));
    expect(emptied).toEqual({ upserts: {}, deletes: ['a', 'd', 'c'], cursor: now + 3 });
  });

  test('answers the truth as of the call', async () => {
    const { clock, source } = make();
    const { cursor } = source;
    source.rows.set('a', 9);
    source.behave({ slowMs: 10 });
    const changes = tell(source.fetchChanges!(cursor, context));
    source.rows.set('a', 10);
    await clock.advance(10);
    expect(await changes).toEqual({ upserts: { a: 9 }, deletes: [], cursor: cursor + 1 });
  });

  test.each([undefined, null, -1, 99, '3', {}])('refuses the position %o, which it never gave', async (cursor) => {
    expect(await make().source.fetchChanges!(cursor, context)).toBe('resync');
  });

  test('fails, says that nothing has changed, breaks off, refuses to tell, hangs', async () => {
    const { source } = make();
    source.rows.set('a', 9);
    source.rows.set('b', 9);
    const told = (): Promise<Told | 'resync'> => tell(source.fetchChanges!(0, context));
    source.behave('fail');
    await expect(told()).rejects.toThrow('connection refused');
    source.behave('refuse');
    await expect(told()).rejects.toMatchObject({ reachable: true });
    source.behave('empty');
    expect(await told()).toEqual({ upserts: {}, deletes: [], cursor: 0 });
    source.behave('half');
    await expect(told()).rejects.toThrow('connection reset');
    source.behave('resync');
    expect(await told()).toBe('resync');
    expect(await source.fetchOne!('a', context)).toBe(9);
    source.behave('hang');
    let ended = false;
    void told().finally(() => {
      ended = true;
    });
    await settle();
    expect(ended).toBe(false);
  });

  test('is held and answered by hand, in any order', async () => {
    const { source } = make();
    source.rows.set('d', 4);
    source.rows.delete('d');
    source.behave('hold');
    const answers = [1, 2, 3, 4].map(() => tell(source.fetchChanges!(0, context)));
    source.calls[3]!.resync();
    expect(await answers[3]).toBe('resync');
    source.calls[1]!.answer(new Map([['x', 7]]));
    expect(await answers[1]).toEqual({ upserts: { x: 7 }, deletes: [], cursor: 5 });
    source.calls[2]!.answer([], ['a']);
    expect(await answers[2]).toEqual({ upserts: {}, deletes: ['a'], cursor: 5 });
    source.calls[0]!.answer();
    expect(await answers[0]).toEqual({ upserts: { a: 1, b: 2, c: 3 }, deletes: ['d'], cursor: 5 });
  });

  test.each(['fetchAll', 'fetchChanges'] as const)('pauses half-way, without a position (%s)', async (method) => {
    const { source } = make();
    source.behave('pause');
    const answer = method === 'fetchAll' ? await source.fetchAll!(context) : await source.fetchChanges!(0, context);
    const { entries, upserts = entries } = answer as Snapshot<number> & Delta<number>;
    const keys: string[] = [];
    const reading = (async () => {
      for await (const [key] of upserts) keys.push(key);
    })();
    await settle();
    expect([keys, (answer as Snapshot<number>).cursor]).toEqual([['a', 'b'], undefined]);
    source.calls[0]!.answer();
    await reading;
    expect([keys, (answer as Snapshot<number>).cursor]).toEqual([['a', 'b', 'c'], 3]);
  });
});

describe('a scripted source that lies', () => {
  test('says what it is told to, on every path', async () => {
    const { source } = make();
    const lie = [
      ['a', 7],
      ['a', 8],
      [5, 9],
    ] as const;
    source.behave({ lie });
    expect(((await source.fetchAll!(context)) as Snapshot<number>).entries).toEqual(lie);
    expect(await source.fetchOne!('a', context)).toBe(8);
    expect(await source.fetchMany!(['a'], context)).toEqual(new Map<unknown, number>([...lie]));
    const delta = (await source.fetchChanges!(0, context)) as Delta<number>;
    expect(delta).toEqual({ upserts: lie, deletes: [], cursor: 3 });
    source.behave({ lie: [], deletes: ['a', 7], cursor: undefined });
    expect(await tell(source.fetchChanges!(0, context))).toEqual({ upserts: {}, deletes: ['a', 7], cursor: undefined });
  });
});

describe('a scripted source that is watched', () => {
  const watch = (source: ScriptedSource<number>, signal: AbortSignal = context.signal) => {
    const rung: string[] = [];
    const lost = (error: unknown): void => void rung.push((error as Error).message);
    const standing = source.watch!(() => void rung.push('nudge'), { signal, reason: 'watch', lost });
    return { rung, standing };
  };

  test('rings every watch that stands', async () => {
    const { source } = make();
    const [first, second] = [watch(source), watch(source)];
    const end = await first.standing;
    await second.standing;
    expect(source.watching).toBe(2);
    source.nudge();
    await end();
    source.nudge();
    expect([first.rung, second.rung, source.watching]).toEqual([['nudge'], ['nudge', 'nudge'], 1]);
    expect(source.calls.map(({ method }) => method)).toEqual(['watch', 'watch', 'unwatch']);
  });

  test('loses its watches, once each', async () => {
    const { source } = make();
    const { rung, standing } = watch(source);
    const end = await standing;
    source.loseWatch();
    source.loseWatch(new Error('again'));
    source.nudge();
    expect([rung, source.watching]).toEqual([['connection refused'], 0]);
    await end();
    source.behave('half');
    const short = watch(source);
    await short.standing;
    expect([short.rung, source.watching]).toEqual([[], 1]);
    await settle();
    expect([short.rung, source.watching]).toEqual([['connection refused'], 0]);
    const shorter = watch(source);
    const endShorter = await shorter.standing;
    await endShorter();
    await settle();
    expect(shorter.rung).toEqual([]);
  });

  test('fails, hangs, stands late, and rings nobody before', async () => {
    const { clock, source } = make();
    source.behave('fail');
    await expect(watch(source).standing).rejects.toThrow('connection refused');
    await expect(watch(source, AbortSignal.abort(new Error('too late'))).standing).rejects.toThrow('too late');
    source.behave('hang');
    void watch(source);
    source.behave('hold');
    const held = watch(source);
    source.behave({ slowMs: 10 });
    const controller = new AbortController();
    const late = watch(source, controller.signal);
    controller.abort();
    source.nudge();
    await clock.advance(10);
    await late.standing;
    expect([source.watching, held.rung, late.rung]).toEqual([1, [], []]);
    source.calls.at(-2)!.answer();
    await held.standing;
    expect(source.watching).toBe(2);
  });

  test('fails or hangs while it ends, aborted or not; it rings no more', async () => {
    const { source } = make();
    const controller = new AbortController();
    const ends = [await watch(source, controller.signal).standing, await watch(source).standing];
    controller.abort();
    source.behave('fail');
    await expect(ends[0]!()).rejects.toThrow('connection refused');
    source.behave('hang');
    void ends[1]!();
    expect([source.watching, source.count('unwatch')]).toEqual([0, 2]);
  });
});
