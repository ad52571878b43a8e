import { type Source, TTLCacheService } from 'evercache';
import { describe, expect, test } from 'vitest';
import { postgresMirror, postgresSource } from '../src/index.ts';
import { context, readAll, useClient } from './use-client.ts';

const database = useClient('pg', 'create table notes (id int primary key, owner int, text text)');

const FILL = `truncate notes; insert into notes select n, n % 3, 'note ' || n from generate_series(1, 50) as n`;

/** A source that counts the rows it has parsed. */
function counted(rows: 'single' | 'grouped' = 'single') {
  const parsed: unknown[] = [];
  const common = {
    client: database.client,
    select: 'select id, owner, text from notes',
    map: (row: Record<string, unknown>) => {
      parsed.push(row.id);
      return row;
    },
  };
  const source =
    rows === 'single'
      ? postgresSource({ ...common, key: 'id' })
      : postgresSource({ ...common, key: 'owner', rows, orderBy: ['id'] });
  const read = async () => new Map(await readAll<unknown>(await source.fetchAll(context())));
  return { parsed, source, read };
}

describe('a source that reads everything again', () => {
  test('parses what has changed, and hands over the same object for everything else', async () => {
    await database.run(FILL);
    const { parsed, read } = counted();
    const first = await read();
    expect(parsed.splice(0)).toHaveLength(50);
    await database.run(`update notes set text = 'changed' where id = 7; delete from notes where id = 8;
      insert into notes values (51, 0, 'new')`);
    const second = await read();
    expect(parsed.splice(0).toSorted()).toEqual([51, 7]);
    expect([...second].filter(([key, value]) => first.get(key) !== value).map(([key]) => key)).toEqual(
      expect.arrayContaining(['7', '51']),
    );
    expect([...second].filter(([key, value]) => first.get(key) === value)).toHaveLength(48);
    expect(second.get('7')).toMatchObject({ text: 'changed' });
    await read();
    expect(parsed).toEqual([]);
  });

  test('takes a group for changed if one of its rows is, or their order', async () => {
    await database.run(FILL);
    const { read } = counted('grouped');
    const first = await read();
    await database.run(`update notes set text = 'changed' where id = 3; update notes set id = 100 where id = 1`);
    const second = await read();
    expect(['0', '1', '2'].map((key) => second.get(key) === first.get(key))).toEqual([false, false, true]);
    expect(second.get('1')).toHaveLength(17);
  });

  test('hands over the object of a single read, too, and that of a read before it', async () => {
    await database.run(FILL);
    const { parsed, source, read } = counted();
    const before = (await read()).get('1');
    expect(await source.fetchOne('1', context())).toBe(before);
    await database.run(`update notes set text = 'changed' where id = 1`);
    const single = await source.fetchOne('1', context());
    expect(single).toMatchObject({ text: 'changed' });
    parsed.length = 0;
    expect((await read()).get('1')).toBe(single);
    expect(parsed).toEqual([]);
  });

  test('remembers nothing of what was read key by key', async () => {
    await database.run(FILL);
    const { parsed, source, read } = counted();
    await source.fetchMany(['1', '2'], context());
    parsed.length = 0;
    await read();
    expect(parsed).toHaveLength(50);
  });

  test('is right after a reading that broke off', async () => {
    await database.run(FILL);
    const { source, read } = counted();
    const first = await read();
    await database.run(`update notes set text = 'changed' where id < 40`);
    for await (const [key] of await source.fetchAll(context())) if (key === '20') break;
    await database.run(`update notes set text = 'note ' || id where id < 10`);
    const second = await read();
    expect(new Set(second.keys())).toEqual(new Set(first.keys()));
    for (const [key, row] of second) {
      const text = Number(key) >= 10 && Number(key) < 40 ? 'changed' : `note ${key}`;
      expect(row).toMatchObject({ id: Number(key), text });
    }
  });

  test('remembers no more of readings that broke off than of one', async () => {
    await database.run(FILL);
    const { parsed, source, read } = counted();
    await read();
    for (const first of [101, 201]) {
      await database.run(
        `${FILL}; insert into notes select n, 0, 'new' from generate_series(${first}, ${first + 99}) as n`,
      );
      let rows = 0;
      for await (const _ of await source.fetchAll(context())) {
        rows += 1;
        if (rows === 150) break;
      }
    }
    parsed.length = 0;
    await read();
    expect(parsed.toSorted()).toEqual(Array.from({ length: 100 }, (_, index) => 201 + index));
  });

  test('forgets what has gone, sooner or later, and keeps the objects of the rest', async () => {
    await database.run(FILL);
    const { parsed, read } = counted();
    const first = await read();
    await database.run('delete from notes where id > 20');
    await read();
    await read();
    parsed.length = 0;
    await database.run(`insert into notes select n, n % 3, 'note ' || n from generate_series(21, 50) as n`);
    const again = await read();
    expect(parsed).toHaveLength(30);
    const kept = [...again].filter(([key, row]) => first.get(key) === row).map(([key]) => Number(key));
    expect(kept.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('does not bring back what came after it and went again', async () => {
    await database.run(FILL);
    const { read } = counted();
    await read();
    await database.run(`update notes set text = 'changed' where id = 5`);
    await read();
    await database.run(`update notes set text = 'note 5' where id = 5`);
    expect((await read()).get('5')).toMatchObject({ text: 'note 5' });
  });
});

test('a cache keeps its objects over refreshes for which nothing was parsed', async () => {
  await database.run(FILL);
  const { parsed, source } = counted();
  await using cache = new TTLCacheService<unknown>({ name: 'notes', source: source as Source<unknown> });
  await cache.start();
  const held = new Map(cache.entries());
  parsed.length = 0;
  expect(await cache.refresh()).toMatchObject({ kind: 'snapshot', outcome: 'unchanged', unchanged: 50 });
  expect(parsed).toEqual([]);
  expect([...cache.entries()].every(([key, value]) => held.get(key) === value)).toBe(true);
});

test('a mirror whose tables are not followed parses what has changed', async () => {
  await database.run(FILL);
  const parsed: unknown[] = [];
  const map = (row: Record<string, unknown>) => {
    parsed.push(row.id);
    return row;
  };
  await using mirror = postgresMirror({
    name: 'notes',
    client: database.client,
    tables: { notes: { table: 'notes', map } },
  });
  await mirror.start();
  parsed.length = 0;
  await database.run(`update notes set text = 'changed' where id = 9`);
  expect(await mirror.refresh()).toMatchObject({ kind: 'snapshot', updated: 1 });
  expect(parsed).toEqual([9]);
});
