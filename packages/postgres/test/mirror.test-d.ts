/** Checked by the type checker alone: `npm run types`. */
import type { Cache, StandardSchema } from 'evercache';
import { expectTypeOf } from 'vitest';
import type { PostgresClient } from '../src/index.ts';
import { type MirrorView, type PostgresRow, postgresMirror } from '../src/index.ts';

declare const client: PostgresClient;
declare const nameSchema: StandardSchema<{ name: string }>;
declare const textSchema: StandardSchema<string>;

const mirror = postgresMirror({
  name: 'x',
  client,
  tables: {
    plain: { table: 'plain' },
    mapped: { table: 'mapped', map: (row) => ({ id: Number(row.id) }), indexes: ['id'] },
    checked: { table: 'checked', schema: nameSchema },
  },
});

// Each table has its own rows.
expectTypeOf(mirror.tables.plain.get('1')).toEqualTypeOf<PostgresRow | undefined>();
expectTypeOf(mirror.tables.mapped.get('1')).toEqualTypeOf<{ id: number } | undefined>();
expectTypeOf(mirror.tables.checked.get('1')).toEqualTypeOf<{ name: string } | undefined>();
expectTypeOf(mirror.tables.checked).toExtend<Cache<{ name: string }>>();

// A view has what is built, or what the schema gives.
const view = mirror.view({
  name: 'v',
  keys: 'mapped',
  build: (row, read, key) => {
    expectTypeOf(row).toEqualTypeOf<{ id: number }>();
    expectTypeOf(key).toEqualTypeOf<string>();
    expectTypeOf(read.checked.get(row.id)).toEqualTypeOf<{ name: string } | undefined>();
    expectTypeOf(read.mapped.by('id', 1)).toEqualTypeOf<readonly { id: number }[]>();
    // @ts-expect-error: there is no such property
    read.mapped.by('no', 1);
    return [key];
  },
});
expectTypeOf(view).toEqualTypeOf<MirrorView<string[]>>();
expectTypeOf(view.fetch('1')).resolves.toEqualTypeOf<string[] | undefined>();
expectTypeOf(
  mirror.view({
    name: 'w',
    keys: 'plain',
    build: () => ({ any: 1 }),
    schema: textSchema,
  }),
).toEqualTypeOf<MirrorView<string>>();
mirror.view({
  name: 'x',
  keys: 'mapped',
  build: () => ({ any: 1 }),
  schema: textSchema,
  whenRefused: (lastGood, row, read, key) => {
    expectTypeOf(lastGood).toEqualTypeOf<string>();
    expectTypeOf(row).toEqualTypeOf<{ id: number }>();
    return lastGood + (read.checked.get(key)?.name ?? '');
  },
});

// @ts-expect-error: there is no such table
mirror.view({ name: 'y', keys: 'nothing', build: () => 1 });
