/** Whatever statements a transaction is made of, the log has every row that it has changed. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { Client } from 'pg';
import { expect, test } from 'vitest';
import { installScript } from '../src/change-log/scripts.ts';
import { parseTables } from '../src/change-log/table-list.ts';
import { useChangeLog } from './use-change-log.ts';

const TABLES = `
  create table owners (id int primary key, n int);
  create table items (id int primary key, n int,
    owner int references owners on update cascade on delete cascade,
    buyer int references owners on update cascade on delete set null);
  create table slots (id int primary key deferrable initially deferred, n int);`;

const START = `truncate owners, items, slots;
  insert into owners select n, 0 from generate_series(1, 4) as n;
  insert into items select n, 0, 1 + n % 4, 1 + n % 3 from generate_series(1, 6) as n;
  insert into slots select n, 0 from generate_series(1, 4) as n;`;

/** Each with the columns that are logged beside the key. */
const FOLLOWED = { owners: [], items: ['owner', 'buyer'], slots: [] } satisfies Record<string, string[]>;
type Table = keyof typeof FOLLOWED;
const TABLE_NAMES = Object.keys(FOLLOWED) as Table[];

const database = useChangeLog(TABLES, installScript(parseTables('owners, items(owner, buyer), slots')!));
const { run, rows, connect } = database;

/** Few different ones, so that statements meet the same rows again. */
const NUMBERS = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 4, maxLength: 4 });

/** A number for each question mark. Foreign keys act from owners to items. */
const FAMILY = [
  `insert into owners values (?, ?) on conflict (id) do update set n = excluded.n + 1`,
  `update owners set n = n + 1 where id in (?, ?)`,
  `update owners set id = ? where id = ?`,
  `update owners set id = id + 10 where id <= ?`,
  `update owners set id = id - 10 where id > 10`,
  `delete from owners where id in (?, ?)`,
  `insert into items values (?, ?, ?, ?) on conflict (id) do update set n = excluded.n, owner = excluded.owner`,
  `insert into items select ? + o.id, 0, o.id, o.id from owners as o on conflict do nothing`,
  `update items set n = n + 1 where id = ?`,
  `update items set n = n + 1 where id in (?, ?, ?)`,
  `update items set id = ? where id = ?`,
  `update items set id = ? + 10 * id where id in (?, ?)`,
  `update items set owner = buyer, buyer = owner where id <= ?`,
  `update items set owner = ?, n = 0 where owner = ?`,
  `delete from items where id in (?, ?)`,
  `with gone as (delete from items where id <= ? returning *)
    insert into items select id + 10, n, owner, buyer from gone`,
  `with new as (update items set n = ? where id = ? returning *), old as (delete from items where id = ?)
    insert into slots select id + 10, n from new`,
  `merge into items using (values (?), (?), (?)) as v(id) on items.id = v.id
    when matched and items.n > 3 then delete when matched then update set n = n + 1
    when not matched then insert values (v.id, 9, null, null)`,
  'truncate items',
  'delete from owners',
];

/** Its key is deferred: until a transaction ends, several rows may have the same one. */
const SLOTS = [
  `insert into slots select id, ? from slots where id = ?`,
  `insert into slots values (?, ?), (?, ?)`,
  `update slots set id = id + n where id = ?`,
  `update slots set id = ? - id where n < ?`,
  `update slots set id = ? where id = ?`,
  `update slots set n = n + 1 where id <= ?`,
  `delete from slots where ctid in (select min(ctid) from slots group by id having count(*) > 1 or id = ?)`,
  'truncate slots',
];

/** One to four of these, each perhaps in a savepoint that is let go of or gone back to. */
function transactionOf(statements: readonly string[]) {
  const text = fc.tuple(fc.constantFrom(...statements), NUMBERS).map(([statement, numbers]) => {
    const left = numbers.values();
    return statement.replaceAll('?', () => String(left.next().value));
  });
  const end = fc.constantFrom(undefined, undefined, 'release s', 'rollback to s');
  return fc.array(fc.record({ text, end }), { minLength: 1, maxLength: 4 });
}

const transaction = fc.oneof(transactionOf(FAMILY), transactionOf(SLOTS), transactionOf([...FAMILY, ...SLOTS]));

type Transaction = readonly { readonly text: string; readonly end: string | undefined }[];

type Row = Readonly<Record<string, number | null>>;
type State = ReadonlyMap<Table, ReadonlyMap<string, Row>>;

async function look(): Promise<State> {
  const state = new Map<Table, Map<string, Row>>();
  for (const table of TABLE_NAMES) {
    state.set(table, new Map((await rows<Row>(`select * from ${table}`)).map((row) => [String(row.id), row])));
  }
  return state;
}

interface Change {
  readonly table: Table;
  readonly key: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

function changesBetween(from: State, to: State): Change[] {
  return TABLE_NAMES.flatMap((table) => {
    const [old, now] = [from.get(table)!, to.get(table)!];
    return [...new Set([...old.keys(), ...now.keys()])]
      .map((key): Change => ({ table, key, before: old.get(key), after: now.get(key) }))
      .filter(({ before, after }) => !isDeepStrictEqual(before, after));
  });
}

interface Entry {
  readonly key: string | null;
  readonly columns: Record<string, string | null> | null;
  readonly op: string;
}

/** What the log does not tell of these changes. */
async function missing(changes: readonly Change[]): Promise<string[]> {
  const log = new Map<Table, Entry[]>();
  for (const table of TABLE_NAMES) {
    log.set(
      table,
      await rows<Entry>(`select key, columns, op from evercache.change_log where tbl = 'public.${table}'`),
    );
  }
  return changes.flatMap(({ table, key, before, after }) => {
    const entries = log.get(table)!;
    if (entries.some(({ op }) => op === 'R')) return [];
    const op = after === undefined ? 'D' : 'U';
    const hasKey = entries.some((entry) => entry.key === key && entry.op === op);
    // They tell whose value is made of this row, and whose was.
    const columns = FOLLOWED[table].flatMap((column) =>
      [before, after]
        .filter((row) => row !== undefined)
        .map((row) => row[column]?.toString() ?? null)
        .filter((value) => !entries.some((entry) => entry.columns?.[column] === value))
        .map((value) => `${table} ${key}, ${column} ${value}`),
    );
    return hasKey ? columns : [`${op} ${table} ${key}`, ...columns];
  });
}

/** Did it commit? Not with a key twice, nor without a row that another one refers to. */
async function commit(writer: Client, transaction: Transaction): Promise<boolean> {
  try {
    await writer.query('begin');
    for (const { text, end } of transaction) {
      await writer.query(end === undefined ? text : `savepoint s; ${text}; ${end}`);
    }
    await writer.query('commit');
    return true;
  } catch {
    await writer.query('rollback');
    return false;
  }
}

test('every row that random transactions change is in the log, with its columns of before and after', async () => {
  const writer = await connect();
  const tally = { committed: 0, failed: 0, changes: 0 };
  const history = fc.array(transaction, { minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(history, async (transactions) => {
      await run(START);
      let before = await look();
      for (const statements of transactions) {
        await run('delete from evercache.change_log');
        tally[(await commit(writer, statements)) ? 'committed' : 'failed'] += 1;
        const after = await look();
        const changes = changesBetween(before, after);
        tally.changes += changes.length;
        expect(await missing(changes)).toEqual([]);
        before = after;
      }
    }),
    { numRuns: 150 },
  );
  expect(tally.committed).toBeGreaterThan(100);
  expect(tally.changes).toBeGreaterThan(500);
});
