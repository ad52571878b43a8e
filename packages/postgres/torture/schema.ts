/**
 * The tables, and the sum that holds at every snapshot: each write of an item draws a new amount, and triggers book the
 * difference with the writer that made it. So `sum(amount) of the items that are not hidden = sum(booked) of the writers`
 * whenever all of some transactions and nothing of the others is seen, whatever kind of statements they were made of.
 */
import { readFileSync } from 'node:fs';

const CHANGE_LOG = readFileSync(new URL('../sql/change-log-1.sql', import.meta.url), 'utf8');

export const WRITERS = 12;
export const OWNERS = 20;
/** Items at the beginning; about as many stay. */
export const ITEMS = 400;

export const TABLES = `
create table owners (
  id text primary key, label int not null, spare int not null default floor(random() * 1e6)
);
insert into owners select 'o' || n, 0 from generate_series(1, ${OWNERS}) as n;

create table items (
  id text primary key, owner text not null, amount bigint not null, hidden boolean not null default false
);
create table writers (id text primary key, epoch int not null, commits int not null, booked bigint not null);
insert into writers select 'w' || n, 0, 0, 0 from generate_series(1, ${WRITERS}) as n;

create function book() returns trigger language plpgsql as $$
declare
  difference bigint := 0;
begin
  if tg_op in ('UPDATE', 'DELETE') then
    difference := difference - (select coalesce(sum(amount), 0) from old_items where not hidden);
  end if;
  if tg_op in ('UPDATE', 'INSERT') then
    difference := difference + (select coalesce(sum(amount), 0) from new_items where not hidden);
  end if;
  if tg_op = 'TRUNCATE' then
    difference := difference - (select coalesce(sum(amount), 0) from items where not hidden);
  end if;
  update writers set booked = booked + difference where id = current_setting('torture.writer');
  return null;
end $$;
create trigger book_insert after insert on items referencing new table as new_items
  for each statement execute function book();
create trigger book_update after update on items referencing old table as old_items new table as new_items
  for each statement execute function book();
create trigger book_delete after delete on items referencing old table as old_items
  for each statement execute function book();
create trigger book_truncate before truncate on items for each statement execute function book();

set torture.writer = 'w1';
insert into items select 'i' || n, 'o' || (1 + n % ${OWNERS}), floor(random() * 1e9) from generate_series(1, ${ITEMS}) as n;
`;

/** Two hundred transactions that write, then thousands that only take an id. */
export const OVERTAKE = `do $$ begin
  perform set_config('torture.writer', 'w1', false);
  for n in 1..200 loop
    update items set amount = floor(random() * 1e9) where id = 'i' || n;
    commit;
  end loop;
  for n in 1..5000 loop perform pg_current_xact_id(); commit; end loop;
end $$`;

export const INSTALL = `begin; ${CHANGE_LOG}
select evercache.follow('items', array['owner']), evercache.follow('writers'), evercache.follow('owners'); commit;`;
