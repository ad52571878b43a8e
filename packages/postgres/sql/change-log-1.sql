-- The change log of Evercache, version 1: what is written to the tables that are followed, key by key, in the schema
-- "evercache". Run it as the owner of these tables, in one transaction (psql --single-transaction --file); running it
-- again mends what is missing and keeps what is there. Then, in the same transaction or later, for each table:
--
--   select evercache.follow('public.tools');
--   select evercache.follow('public.agent_tools', array['agent_id']);

-- One installation at a time, until the transaction ends: CREATE ... IF NOT EXISTS alone fails when two run at once.
select pg_advisory_xact_lock(hashtextextended('evercache.install', 0));

do $check$
declare
  found_owner name := (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'evercache');
  found_version int;
begin
  if current_setting('server_version_num')::int < 140000 then
    raise exception 'the change log needs PostgreSQL 14 or newer, this is %', current_setting('server_version');
  end if;
  if found_owner is null then
    create schema evercache;
  elsif found_owner <> current_user then
    -- Functions of one owner over tables of another could not write their log.
    raise exception 'schema evercache belongs to role %: install as that role', quote_ident(found_owner);
  end if;
  if to_regclass('evercache.meta') is not null then select version into found_version from evercache.meta; end if;
  if found_version > 1 then
    raise exception 'a newer change log is installed: version %, this is version 1', found_version;
  end if;
end
$check$;

-- What is there already is not touched: ALTER TABLE and CREATE INDEX lock it even if they have nothing to do, until the
-- transaction ends, and whoever follow() waits for has to write to the log to come to an end.
do $tables$
begin
  -- No row of the log below "floor" is guaranteed to be there.
  create table if not exists evercache.meta (
    version int not null, floor xid8 not null, installed_at timestamptz not null default clock_timestamp()
  );
  if to_regclass('evercache.meta_one_row') is null then
    create unique index meta_one_row on evercache.meta ((true));
  end if;

  -- op: U the row was written, D it is gone, R anything may have happened to the table (key is null then).
  create table if not exists evercache.change_log (
    xid xid8 not null default pg_current_xact_id(),
    tbl text not null,
    key text,
    columns jsonb,
    op "char" not null,
    at timestamptz not null default clock_timestamp()
  );
  if to_regclass('evercache.change_log_xid') is null then
    create index change_log_xid on evercache.change_log (xid);
  end if;

  -- What is followed. "types" are those of the key and of the columns: by them it is decided how their texts are written.
  create table if not exists evercache.tables (
    tbl text primary key, key_columns text[] not null, columns text[] not null, types regtype[],
    installed_at timestamptz not null default clock_timestamp()
  );
  if not exists (
    select from pg_attribute where attrelid = 'evercache.tables'::regclass and attname = 'types' and not attisdropped
  ) then
    alter table evercache.tables add column types regtype[];
  end if;

  -- Else a publication for all tables would refuse what prune() does.
  if exists (select from pg_class where oid = 'evercache.meta'::regclass and relreplident <> 'f') then
    alter table evercache.meta replica identity full;
  end if;
  if exists (select from pg_class where oid = 'evercache.change_log'::regclass and relreplident <> 'f') then
    alter table evercache.change_log replica identity full;
  end if;
end
$tables$;

insert into evercache.meta (version, floor)
  -- Whoever is still running has written to no followed table yet: follow() waits for writers, then marks the table.
  select 1, pg_snapshot_xmin(pg_current_snapshot()) where not exists (select from evercache.meta);

-- The name of a table as the log has it: public.tools, "My Schema"."Tools". Whatever the session quotes, too.
create or replace function evercache.name_of(relation oid) returns text
language sql stable set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
  select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation
$$;

-- The relation that has this name now; null: none. Unlike to_regclass it needs no rights.
create or replace function evercache.relation_of(name text) returns oid
language sql stable set search_path = pg_catalog, pg_temp as $$
  select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = (parse_ident(name))[1]::name and c.relname = (parse_ident(name))[2]::name
$$;

-- Our triggers, and the name under which each logs.
create or replace function evercache.triggers()
returns table (relation oid, name name, enabled "char", function oid, logs_as text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select t.tgrelid, t.tgname, t.tgenabled, t.tgfoid,
    -- Its only argument, behind which is a zero byte.
    case when t.tgnargs = 1 then convert_from(substring(t.tgargs for length(t.tgargs) - 1), getdatabaseencoding()) end
  from pg_trigger t join pg_proc p on p.oid = t.tgfoid
  where p.pronamespace = 'evercache'::regnamespace
$$;

-- The types of these columns; one for those of which the same value is the same text.
create or replace function evercache.types_of(relation oid, columns text[]) returns regtype[]
language sql stable set search_path = pg_catalog, pg_temp as $$
  select array_agg(
    case when a.atttypid in ('int2'::regtype, 'int4'::regtype) then 'int8'
      when a.atttypid = 'varchar'::regtype then 'text' else a.atttypid::regtype end order by w.place)
  from unnest(columns) with ordinality as w(name, place)
    join pg_attribute a on a.attrelid = relation and a.attname = w.name and a.attnum > 0
$$;

-- The columns of the primary key in their order; null: there is none.
create or replace function evercache.primary_key(relation oid) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
  select array_agg(a.attname::text order by k.place)
  from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = relation and i.indisprimary and k.place <= i.indnkeyatts
$$;

-- Why changes to this relation could pass its triggers by; null: they cannot.
create or replace function evercache.refusal(relation oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when c.relnamespace in ('pg_catalog'::regnamespace, 'evercache'::regnamespace) then 'is a system table'
    -- Attaching and detaching a partition changes rows, and fires nothing.
    when c.relkind = 'p' then 'is partitioned'
    when c.relispartition then 'is a partition'
    when c.relkind <> 'r' then 'is not a table'
    -- A statement fires the triggers of the table it names, whichever table of the family its rows are in.
    when exists (select from pg_inherits where inhparent = c.oid) then 'has tables that inherit from it'
    when exists (select from pg_inherits where inhrelid = c.oid) then 'inherits from another table'
    when c.relpersistence = 't' then 'is temporary'
    -- A crash empties it, and fires nothing.
    when c.relpersistence = 'u' then 'is unlogged'
    when evercache.primary_key(c.oid) is null then 'has no primary key'
  end
  from pg_class c where c.oid = relation
$$;

-- What is wrong with how this relation is logged, and stays wrong when it is followed again.
create or replace function evercache.beyond_mending(relation oid) returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select evercache.refusal(relation) where evercache.refusal(relation) is not null
  union all
  select 'is written to by a subscription, and that fires no triggers of statements' where exists (
    select from pg_subscription_rel r join pg_subscription s on s.oid = r.srsubid
    where r.srrelid = relation and s.subenabled
  )
  union all
  select 'belongs to a role that the owner of the log is no member of' from pg_class c
    where c.oid = relation and not pg_has_role(
      (select nspowner from pg_namespace where nspname = 'evercache'), c.relowner, 'member')
$$;

-- Forgets tables that are gone or have another name now, and functions whose table was dropped.
create or replace function evercache.tidy() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  orphan regprocedure;
begin
  with gone as (
    delete from evercache.tables as followed
    where evercache.relation_of(followed.tbl) is null returning followed.tbl
  )
  insert into evercache.change_log (tbl, op) select gone.tbl, 'R' from gone;
  for orphan in
    select p.oid from pg_proc p where p.pronamespace = 'evercache'::regnamespace
      and p.prorettype = 'trigger'::regtype and not exists (select from pg_trigger t where t.tgfoid = p.oid)
    loop execute format('drop function %s', orphan); end loop;
end
$$;

-- The text of the trigger function for statements of one kind on a table. What is in it costs every write, statement by
-- statement and expression by expression; so it asks for nothing that is known now.
create or replace function evercache.trigger_body(event text, table_name text, key_columns text[], columns text[])
returns text language plpgsql immutable set search_path = pg_catalog, pg_temp as $log$
declare
  mark constant text := format('insert into evercache.change_log (tbl, op) values (%L, ''R'')', table_name);
  key_sql text;
  columns_sql text;
  key_known text;
  identity_sql text;
  rows_from text;
  written_rows text;
  rows_before text;
  log_rows text;
  log_left_keys text;
begin
  if event = 'truncate' then return format('begin %s; return null; end', mark); end if;

  -- Several columns: their texts as JSON.stringify writes them, ["a","7"].
  select case when count(*) = 1 then min(format('r.%I::text', k.name)) else format($$'[' || %s || ']'$$,
      string_agg(format('to_json(r.%I::text)::text', k.name), $$ || ',' || $$ order by k.place)) end,
      string_agg(format('r.%I is not null', k.name), ' and ')
    into key_sql, key_known from unnest(key_columns) with ordinality as k(name, place);
  if columns <> '{}' then
    select format('case when %s then %s end',
        string_agg(format($$pg_typeof(r.%I) <> 'evercache.tables'::regtype$$, c.name), ' and '), key_sql),
      'jsonb_build_object(' || string_agg(format('%L, r.%I::text', c.name, c.name), ', ') || ')'
      into key_sql, columns_sql from unnest(columns) as c(name);
    key_known := format('(%s) is not null', key_sql);
  end if;
  -- Equal is what has the same characters, whatever the column thinks.
  key_sql := format('((%s) collate "C")', key_sql);
  identity_sql := format(case when columns_sql is null then '%s' else 'row(%s, %s)' end, key_sql, columns_sql);

  -- A column that is gone or has another name since costs a resync, never the write: a name that the rows lack is one of the
  -- outer query, "lacking". Then the key is null. An extra column may be null by right: that it is lacking shows its type,
  -- which no column has.
  select format('(select %s) as lacking, lateral (select %s from ',
      string_agg(format('null::%s as %I', case when c.name = any (key_columns) then 'text' else 'evercache.tables' end, c.name), ', '),
      string_agg(quote_ident(c.name), ', '))
    into rows_from from (select distinct unnest(key_columns || columns)) as c(name);
  -- Of an INSERT and a DELETE both are the same.
  written_rows := rows_from || case event when 'delete' then 'old_rows' else 'new_rows' end || ') as r';
  rows_before := rows_from || case event when 'insert' then 'new_rows' else 'old_rows' end || ') as r';

  log_rows := format('insert into evercache.change_log (tbl, key, columns, op) select %L, %s, %s, %L from %s',
    table_name, key_sql, coalesce(columns_sql, 'null'), case event when 'delete' then 'D' else 'U' end, written_rows);
  if event = 'update' then
    log_left_keys := format($$insert into evercache.change_log (tbl, key, columns, op)
          select %1$L, c.key, c.columns, case when c.key in (select %2$s from %4$s) then 'U' else 'D' end
          from (select %2$s, %3$s from %5$s except select %2$s, %3$s from %4$s) as c(key, columns);$$,
      table_name, key_sql, coalesce(columns_sql, 'null::jsonb'), written_rows, rows_before);
  end if;

  return format($$
    #variable_conflict use_column
    declare
      total bigint;
      known bigint;
    begin
      -- One row that keeps its key is the usual case, and logged by one statement. The array of two is of two rows, which
      -- may be the same one: foreign keys that act, and keys that are deferred, write a row twice.
      %1$s
        where %2$s and array[%3$s] = array(select %3$s from %4$s limit 2);
      if found then return null; end if;

      select count(*), count(c.key) into total, known from (select %5$s from %6$s limit 5001) as c(key);
      if total > 5000 or known < total then
        %7$s;
      elsif total > 0 then
        %8$s
        %1$s;
      end if;
      return null;
    end$$, log_rows, key_known, identity_sql, rows_before, key_sql, written_rows, mark, log_left_keys);
end
$log$;

-- Follows a table, or makes its triggers anew. "columns" are logged beside the key, of old and of new rows. Writers of
-- the table wait for the end of this transaction, readers do not. The table is marked: followers read it whole.
create or replace function evercache.follow(relation regclass, columns text[] default '{}') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $follow$
declare
  table_name text := evercache.name_of(relation);
  refused constant text := evercache.refusal(relation);
  wanted constant text[] := coalesce(columns, '{}');
  key_names text[];
  unknown text;
  settings text := '';
  event text;
  seen_rows text;
  log_function text;
begin
  if table_name is null then raise exception 'there is no such table'; end if;
  if refused is not null then raise exception 'cannot follow %: it %', table_name, refused; end if;
  perform pg_advisory_xact_lock(hashtextextended('evercache.install', 0));
  execute format('lock table %s in share row exclusive mode', relation);
  -- Whoever we waited for may have given it another name.
  table_name := evercache.name_of(relation);

  key_names := evercache.primary_key(relation);
  select coalesce(quote_ident(w.name), 'null') into unknown from unnest(wanted) as w(name)
    where not exists (select from pg_attribute a where a.attrelid = relation and a.attname = w.name and a.attnum > 0);
  if found then raise exception 'cannot follow %: it has no column %', table_name, unknown; end if;
  select a.attname into unknown from pg_attribute a
    where a.attrelid = relation and a.attname = any(wanted) and a.attgenerated = 'v' limit 1;
  if found then
    raise exception 'cannot follow %: column % is virtual, and the log does not see it', table_name, quote_ident(unknown);
  end if;
  -- A name and a value of each, and a function takes 100 arguments.
  if cardinality(wanted) > 50 then
    raise exception 'cannot follow %: it would log % columns, and 50 can be', table_name, cardinality(wanted);
  end if;

  -- A text must not depend on the session that writes. Settings cost time at each call: only where a type needs them.
  if exists (
    select from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = relation and a.attname = any(key_names || wanted) and t.typtype <> 'e' and a.atttypid <> all
      ('{bool,"char",name,int2,int4,int8,oid,numeric,uuid,text,varchar,bpchar,json,jsonb}'::regtype[])
  ) then
    settings := $$set quote_all_identifiers = off set datestyle = 'ISO, YMD' set timezone = 'UTC' set intervalstyle = 'iso_8601'
      set extra_float_digits = 3 set bytea_output = 'hex'$$;
  end if;

  for event, seen_rows in values
    ('insert', 'referencing new table as new_rows'),
    ('update', 'referencing old table as old_rows new table as new_rows'),
    ('delete', 'referencing old table as old_rows'),
    ('truncate', '')
  loop
    log_function := format('log_%s_%s', relation::oid, event);
    -- In a restored database another table may have had this number.
    while exists (
      select from evercache.triggers() t join pg_proc p on p.oid = t.function
      where p.proname = log_function and t.relation <> follow.relation
    ) loop log_function := log_function || '_'; end loop;
    -- SECURITY DEFINER: writers need no rights on the log.
    execute format('create or replace function evercache.%I() returns trigger language plpgsql security definer '
      'set search_path = pg_catalog, pg_temp %s as %L', log_function, settings, evercache.trigger_body(event, table_name, key_names, wanted));
    execute format('revoke all on function evercache.%I() from public', log_function);
    -- The argument tells readers under which name it logs: a table that is renamed and back again by one transaction has
    -- logged all of it under the name it is read by.
    execute format('create or replace trigger evercache_%1$s after %1$s on %2$s %3$s '
      'for each statement execute function evercache.%4$I(%5$L)', event, relation, seen_rows, log_function, table_name);
    -- In sessions with session_replication_role = replica, too.
    execute format('alter table %s enable always trigger evercache_%s', relation, event);
  end loop;

  insert into evercache.tables as followed (tbl, key_columns, columns, types)
    values (table_name, key_names, wanted, evercache.types_of(relation, key_names || wanted))
    on conflict (tbl) do update set
      key_columns = excluded.key_columns, columns = excluded.columns, types = excluded.types,
      installed_at = excluded.installed_at;
  insert into evercache.change_log (tbl, op) values (table_name, 'R');
  perform evercache.tidy();
end
$follow$;

-- Ends what follow() began. Readers and writers of the table wait for the end of this transaction.
create or replace function evercache.unfollow(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  table_name constant text := evercache.name_of(relation);
  ours name;
begin
  perform pg_advisory_xact_lock(hashtextextended('evercache.install', 0));
  for ours in select t.name from evercache.triggers() t where t.relation = unfollow.relation
    loop execute format('drop trigger %I on %s', ours, relation); end loop;
  delete from evercache.tables as followed where followed.tbl = table_name;
  if found then insert into evercache.change_log (tbl, op) values (table_name, 'R'); end if;
  perform evercache.tidy();
end
$$;

-- Whether the log was restored into a younger server: then it holds transaction ids that have yet to come, and a change
-- made under one of them would look as if it had been read before.
create or replace function evercache.from_another_server() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- Our own transaction may be younger than its snapshot.
  select m.floor > greatest(pg_snapshot_xmax(s.now), s.ours) or exists (
    select from evercache.change_log l where l.xid >= pg_snapshot_xmax(s.now) and l.xid is distinct from s.ours
  )
  from evercache.meta m, (select pg_current_snapshot() as now, pg_current_xact_id_if_assigned() as ours) s
$$;

-- Empties such a log and marks every table; how many rows. 0 also where writers were in the way.
create or replace function evercache.restart() returns bigint
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' as $$
declare
  removed bigint;
begin
  -- What is logged under a running transaction is out of sight, so let them end first.
  lock table evercache.change_log in share row exclusive mode;
  delete from evercache.change_log;
  get diagnostics removed = row_count;
  update evercache.meta set floor = pg_current_xact_id();
  insert into evercache.change_log (tbl, op) select followed.tbl, 'R' from evercache.tables as followed;
  return removed;
exception when lock_not_available then
  return 0;
end
$$;

-- Removes what is older than "retention"; how many rows. About 200,000 at most: then call again. 0 also where another
-- prune is under way.
create or replace function evercache.prune(retention interval default '24 hours') returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- Every transaction below it has ended, so nothing can be logged below it any more.
  boundary constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
  last_of_many xid8;
  kept xid8;
  latest xid8;
  removed bigint;
begin
  if retention is null or retention < interval '0' then
    raise exception 'retention: expected an interval of zero or more, got %', coalesce(retention::text, 'null');
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended('evercache.prune', 0)) then return 0; end if;
  if evercache.from_another_server() then return evercache.restart(); end if;
  -- No more in one transaction than takes a second or two, however much there is.
  last_of_many := coalesce((
    select l.xid from evercache.change_log l where l.xid < boundary order by l.xid offset 199999 limit 1
  ), boundary);
  select l.xid into kept from evercache.change_log l
    where l.xid < boundary and l.xid <= last_of_many and l.at >= clock_timestamp() - retention order by l.xid limit 1;
  select l.xid into latest from evercache.change_log l
    where l.xid < least(boundary, kept) and l.xid <= last_of_many order by l.xid desc limit 1;
  if not found then return 0; end if;
  -- No further than what is removed: a floor above the position of a reader costs it a resync.
  update evercache.meta set floor = greatest(floor, (latest::text::numeric + 1)::text::xid8);
  delete from evercache.change_log l where l.xid <= latest;
  get diagnostics removed = row_count;
  return removed;
end
$$;

-- What keeps changes from being logged, or from being logged right; no row: all is well.
create or replace function evercache.problems() returns table (tbl text, problem text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with
    wanted(event) as (values ('insert'), ('update'), ('delete'), ('truncate')),
    ours as (select * from evercache.triggers()),
    listed as (select f.*, evercache.relation_of(f.tbl) as relation from evercache.tables f),
    followed as (select l.*, evercache.primary_key(l.relation) as primary_key from listed l where l.relation is not null)
  select null, 'the log is of another server: evercache.prune() begins it anew' where evercache.from_another_server()
  union all
  select l.tbl, 'is gone or has another name' from listed l where l.relation is null
  union all
  select f.tbl, b.problem from followed f cross join evercache.beyond_mending(f.relation) as b(problem)
  union all
  select f.tbl, 'has no trigger evercache_' || w.event from followed f cross join wanted w
    where not exists (select from ours o where o.relation = f.relation and o.name = 'evercache_' || w.event)
  union all
  select f.tbl, 'has trigger ' || o.name || case o.enabled when 'D' then ' disabled' else ' not always enabled' end
    from followed f join ours o on o.relation = f.relation where o.enabled <> 'A'
  union all
  select f.tbl, 'has another primary key: ' || array_to_string(f.primary_key, ', ')
    from followed f where f.key_columns <> f.primary_key
  union all
  select f.tbl, 'has no column ' || quote_ident(c.name) from followed f cross join unnest(f.columns) as c(name)
    where not exists (select from pg_attribute a where a.attrelid = f.relation and a.attname = c.name)
  union all
  select f.tbl, 'has a virtual column ' || quote_ident(a.attname) || ': writes fail until it is followed without'
    from followed f join pg_attribute a on a.attrelid = f.relation and a.attname = any(f.key_columns || f.columns)
    where a.attgenerated = 'v'
  union all
  select f.tbl, 'has columns of other types than when it was followed'
    from followed f cross join evercache.types_of(f.relation, f.key_columns || f.columns) as now(types)
    where f.types is null or (cardinality(f.types) = cardinality(now.types) and f.types <> now.types)
  union all
  select distinct evercache.name_of(o.relation), 'had another name, and is logged as ' || coalesce(o.logs_as, 'nothing')
    from ours o where o.logs_as is distinct from evercache.name_of(o.relation)
  union all
  select distinct o.logs_as, 'has triggers, but is not listed'
    from ours o where o.logs_as = evercache.name_of(o.relation)
      and not exists (select from followed f where f.relation = o.relation)
$$;

-- Nobody but the owner, until rights are granted.
revoke all on schema evercache from public;
revoke all on all tables in schema evercache from public;
revoke all on all functions in schema evercache from public;
