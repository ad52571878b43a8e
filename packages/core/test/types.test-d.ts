/** Checked by the type checker alone: `npm run types`. */
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import {
  type AnyCache,
  aged,
  CacheError,
  type CacheErrorCode,
  CacheRegistry,
  type Derived,
  type Inspection,
  memoByIdentity,
  type RefreshReport,
  type Source,
  type TTLCacheOptions,
  TTLCacheService,
  type WarmReport,
} from '../src/index.ts';

interface Tool {
  readonly id: number;
  readonly name: string;
}
declare const tool: Tool;

// Without a schema, the values are the source's rows.
const fromSource = new TTLCacheService({ name: 'x', source: { fetchOne: async () => tool } });
expectTypeOf(fromSource).toEqualTypeOf<TTLCacheService<Tool>>();
expectTypeOf(
  new TTLCacheService({ name: 'x', source: { fetchAll: async () => [['a', tool]] as [string, Tool][] } }),
).toEqualTypeOf<TTLCacheService<Tool>>();
expectTypeOf(
  new TTLCacheService({ name: 'x', source: { fetchAll: async () => new Map([['a', tool]]) } }),
).toEqualTypeOf<TTLCacheService<Tool>>();
expectTypeOf(
  new TTLCacheService({ name: 'x', source: { fetchMany: async () => new Map([['a', tool]]) } }),
).toEqualTypeOf<TTLCacheService<Tool>>();
const typed = new TTLCacheService<Tool[]>({ name: 'x', source: { fetchOne: async () => [tool] } });

// With one, they are what the schema gives, whatever the rows are.
const schema = z.object({ id: z.string() }).transform(({ id }) => ({ parsed: Number(id) }));
const rawSources: [Source<unknown>, Source<{ id: string }>, Source<Tool>] = [{}, {}, {}] as never;
expectTypeOf(new TTLCacheService({ name: 'x', source: rawSources[0], schema })).toEqualTypeOf<
  TTLCacheService<{ parsed: number }>
>();
expectTypeOf(new TTLCacheService({ name: 'x', source: rawSources[1], schema })).toEqualTypeOf<
  TTLCacheService<{ parsed: number }>
>();
expectTypeOf(
  new TTLCacheService({ name: 'x', source: { fetchAll: async () => [['a', 7]] as [string, unknown][] }, schema }),
).toEqualTypeOf<TTLCacheService<{ parsed: number }>>();
// Options may be made elsewhere.
declare const options: TTLCacheOptions<Tool>;
expectTypeOf(new TTLCacheService(options)).toEqualTypeOf<TTLCacheService<Tool>>();
// @ts-expect-error: the schema gives something else
new TTLCacheService<Tool>({ name: 'x', source: rawSources[0], schema });

// Every shape of source, and answers with an age.
expectTypeOf<{ fetchOne: (key: string) => Promise<Tool | undefined> }>().toExtend<Source<Tool>>();
async function* streamed(): AsyncGenerator<[string, Tool]> {
  yield ['a', tool];
}
const shapes: Source<Tool>[] = [
  { fetchAll: async () => streamed() },
  { fetchAll: async () => ({ entries: streamed(), ageMs: 5 }) },
  { fetchAll: async ({ signal, reason }) => (signal.aborted ? [] : [[reason, tool]]) },
  { fetchOne: async (key) => (key === 'a' ? aged(tool, 5) : undefined) },
  { fetchMany: async (keys) => new Map(keys.map((key) => [key, aged(tool, 5)])) },
  { fetchOne: async () => tool, breakerKey: 'the database', status: () => ({ tier: 1 }) },
];
void shapes;
// @ts-expect-error: a source answers with promises
const _synchronous: Source<Tool> = { fetchOne: () => tool };
// @ts-expect-error: fetchMany answers a Map
const _object: Source<Tool> = { fetchMany: async () => ({ a: tool }) };
// @ts-expect-error: keys are strings
const _numbers: Source<Tool> = { fetchAll: async () => [[1, tool]] };
// @ts-expect-error: the row is no Tool
const _wrongRow: Source<Tool> = { fetchOne: async () => ({ id: 'x' }) };

// Reads.
expectTypeOf(fromSource.get('a')).toEqualTypeOf<Tool | undefined>();
expectTypeOf(fromSource.getMany(['a'])).toEqualTypeOf<(Tool | undefined)[]>();
expectTypeOf(fromSource.fetch('a')).toEqualTypeOf<Promise<Tool | undefined>>();
expectTypeOf(fromSource.fetchMany(new Set(['a']))).toEqualTypeOf<Promise<ReadonlyMap<string, Tool>>>();
expectTypeOf(fromSource.warm(['a'])).toEqualTypeOf<Promise<WarmReport>>();
expectTypeOf(fromSource.inspect('a')).toEqualTypeOf<Inspection<Tool>>();
expectTypeOf(fromSource.refresh()).toEqualTypeOf<Promise<RefreshReport>>();
expectTypeOf(fromSource.entries()).toEqualTypeOf<IterableIterator<[string, Tool]>>();
expectTypeOf(typed.get('a')).toEqualTypeOf<Tool[] | undefined>();
void fromSource.fetch('a', { timeout: '5s', signal: AbortSignal.abort(), fresh: true });
void fromSource.invalidate('a').then(() => fromSource.invalidate(['a', 'b'] as const));
// @ts-expect-error: nothing is never "all"
void fromSource.invalidate();
// @ts-expect-error: nor is undefined
void fromSource.invalidate(undefined);
// @ts-expect-error: keys are strings
fromSource.get(1);
// @ts-expect-error: a duration has a unit
void fromSource.fetch('a', { timeout: 'soon' });
// @ts-expect-error: a text is not a list of keys
void fromSource.getMany('abc');

// Options.
const source: Source<Tool> = { fetchOne: async () => tool };
new TTLCacheService({ name: 'x', source, ttl: '5m', staleIfError: 1_000, negativeTtl: '1.5h', maxEntries: 5 });
// @ts-expect-error: a source is required
new TTLCacheService({ name: 'x' });
// @ts-expect-error: a name is required
new TTLCacheService({ source });
// @ts-expect-error: no such option
new TTLCacheService({ name: 'x', source, ttll: '5m' });
// @ts-expect-error: no such unit
new TTLCacheService({ name: 'x', source, ttl: '5 minutes' });
// @ts-expect-error: 'continue' or 'throw'
new TTLCacheService({ name: 'x', source, onStartFailure: 'ignore' });

// Derived values, events, errors, registry.
const names = fromSource.derive((value) => value.name);
expectTypeOf(names).toEqualTypeOf<Derived<string>>();
expectTypeOf(names.get('a')).toEqualTypeOf<string | undefined>();
expectTypeOf(memoByIdentity((one: Tool, two: string) => [one, two] as const)).toEqualTypeOf<
  (...inputs: [one: Tool, two: string]) => readonly [Tool, string]
>();
fromSource.on('refresh', (report) => expectTypeOf(report).toEqualTypeOf<RefreshReport>());
fromSource.on('error', (error) => expectTypeOf(error).toEqualTypeOf<CacheError>());
fromSource.on('quarantine', ({ key, message }) => expectTypeOf([key, message]).toEqualTypeOf<string[]>());
// @ts-expect-error: no such event
fromSource.on('hit', () => undefined);
const error: unknown = undefined;
if (CacheError.isInstance(error)) expectTypeOf(error.code).toEqualTypeOf<CacheErrorCode>();
const registry = new CacheRegistry();
expectTypeOf(registry.register(fromSource)).toEqualTypeOf<TTLCacheService<Tool>>();
expectTypeOf(registry.get('x')).toEqualTypeOf<AnyCache | undefined>();
expectTypeOf([...registry]).toEqualTypeOf<AnyCache[]>();
