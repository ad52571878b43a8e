/** What a transaction may consist of. */
import type { Chance } from './chance.ts';
import { ITEMS, OWNERS } from './schema.ts';

/** The hands of a transaction. */
export interface Step {
  readonly chance: Chance;
  run(text: string): Promise<unknown>;
  pause(ms: number): Promise<unknown>;
}

export interface Deed {
  readonly name: string;
  steps(step: Step): Promise<void>;
}

const AMOUNT = 'floor(random() * 1e9)';

function statement(chance: Chance): string {
  const item = () => `'i${chance.whole(1, ITEMS)}'`;
  const owner = () => `'o${chance.whole(1, OWNERS)}'`;
  const write = `update items set amount = ${AMOUNT} where id = ${item()}`;
  return chance.pick([
    write,
    write,
    `update items set amount = ${AMOUNT}, owner = ${owner()} where id = ${item()}`,
    `delete from items where id = ${item()}`,
    `insert into items values (${item()}, ${owner()}, ${AMOUNT}) on conflict (id) do update
      set amount = excluded.amount, owner = excluded.owner, hidden = false`,
    `insert into items values (${item()}, ${owner()}, ${AMOUNT}) on conflict (id) do update
      set amount = excluded.amount, hidden = false`,
    `update items set hidden = not hidden, amount = ${AMOUNT} where id = ${item()}`,
    `update items set id = ${item()}, amount = ${AMOUNT} where id = ${item()}`,
    `update items set amount = ${AMOUNT} where id in (${item()}, ${item()}, ${item()})`,
    `update owners set label = label + 1 where id = ${owner()}`,
  ]);
}

async function few({ chance, run, pause }: Step): Promise<void> {
  for (let left = chance.whole(1, 4); left > 0; left -= 1) {
    const nested = chance.oneIn(4);
    if (nested) await run('savepoint s');
    await run(statement(chance));
    if (nested) await run(chance.oneIn(2) ? 'release s' : 'rollback to s');
    if (chance.oneIn(4)) await pause(chance.whole(1, 20));
  }
}

async function longPause(step: Step): Promise<void> {
  await few(step);
  await step.pause(step.chance.whole(300, 1200));
  await few(step);
}

/** In the order of the ids, so that two of these do not wait for one another. */
async function manySubtransactions({ chance, run }: Step): Promise<void> {
  const first = chance.whole(1, ITEMS - 80);
  for (let n = first; n < first + 80; n += 1) {
    await run(`savepoint s; update items set amount = ${AMOUNT} where id = 'i${n}'`);
    await run(chance.oneIn(10) ? 'rollback to s' : 'release s');
  }
}

async function truncate({ chance, run }: Step): Promise<void> {
  await run(`set local lock_timeout = '500ms'`);
  await run('truncate items');
  if (chance.oneIn(4)) return;
  await run(`insert into items select 'i' || n, 'o' || (1 + n % ${OWNERS}), ${AMOUNT}
    from generate_series(1, ${chance.whole(1, ITEMS)}) as n`);
}

/** So many rows of another prefix come, change or go by one statement; mostly hidden ones, which mirrors need not read. */
function many(prefix: string, count: number, visible: number): (step: Step) => Promise<void> {
  return async ({ chance, run }) => {
    await run(
      chance.oneIn(2)
        ? `delete from items where id like '${prefix}%'`
        : `insert into items select '${prefix}' || n, 'o' || (1 + n % ${OWNERS}), ${AMOUNT}, ${!chance.oneIn(visible)}
            from generate_series(1, ${count}) as n
            on conflict (id) do update set amount = excluded.amount, hidden = excluded.hidden`,
    );
  };
}

/** As replication writes: no ordinary trigger fires, so what they would book is booked by hand. */
async function pastTheTriggers({ chance, run }: Step): Promise<void> {
  await run('set local session_replication_role = replica');
  for (let left = chance.whole(1, 3); left > 0; left -= 1) {
    const item = `'i${chance.whole(1, ITEMS)}'`;
    const [writes, sum] = chance.pick([
      [
        `old as (select id, amount from items where id = ${item} and not hidden for update),
        written as (update items as i set amount = ${AMOUNT} from old where i.id = old.id returning i.amount - old.amount as n)`,
        '(select sum(n) from written)',
      ],
      [
        `written as (delete from items where id = ${item} returning amount, hidden)`,
        '-(select sum(amount) from written where not hidden)',
      ],
      [
        `written as (insert into items values (${item}, 'o${chance.whole(1, OWNERS)}', ${AMOUNT}) on conflict do nothing returning amount)`,
        '(select sum(amount) from written)',
      ],
    ] as const);
    await run(`with ${writes}
      update writers set booked = booked + coalesce(${sum}, 0) where id = current_setting('torture.writer')`);
  }
  await run('set local session_replication_role = origin');
}

/** Cards: how many of so many transactions are of which kind. */
const CARDS: readonly (readonly [number, Deed])[] = [
  [150, { name: 'a few statements', steps: few }],
  [4, { name: 'a long transaction', steps: longPause }],
  [4, { name: 'more than 64 sub-transactions', steps: manySubtransactions }],
  // More keys than a delta brings by one statement, and fewer than the log counts one by one.
  [2, { name: 'a bulk statement of 2,500 rows', steps: many('l', 2500, 1) }],
  [2, { name: 'a bulk statement of 5,001 rows', steps: many('b', 5001, 6) }],
  [2, { name: 'TRUNCATE', steps: truncate }],
  [8, { name: 'past the triggers', steps: pastTheTriggers }],
];

export const DEEDS: readonly Deed[] = CARDS.flatMap(([count, deed]) => Array<Deed>(count).fill(deed));
