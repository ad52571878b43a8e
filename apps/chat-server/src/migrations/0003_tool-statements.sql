-- The wall around the statements of `sql` tools.
--
-- They run inside a SECURITY DEFINER function that belongs to a role which may only read what it was granted. There,
-- PostgreSQL refuses every way back to the caller's rights: SET ROLE, set_config('role', ...), and the same inside
-- functions that run SQL of their own (query_to_xml, ts_stat). SET LOCAL ROLE alone could be undone by the statement.

do $$
begin
  if not exists (select from pg_roles where rolname = 'chat_tools') then
    create role chat_tools nologin;
  end if;
exception
  when duplicate_object or unique_violation then null; -- roles belong to the whole server: another database made it
  when insufficient_privilege then
    raise exception 'the role chat_tools is missing and % may not create it', current_user
      using hint = 'As an administrator: create role chat_tools nologin; grant chat_tools to the user of DATABASE_URL.';
end $$;
do $$
begin
  -- Who made the role may grant it, but is not yet in it.
  execute format('grant chat_tools to %I', current_user);
exception
  when insufficient_privilege then -- somebody else made it, and has to have granted it
    if not pg_has_role(current_user, 'chat_tools', 'member') then
      raise exception '% is not a member of the role chat_tools', current_user
        using hint = 'As an administrator: grant chat_tools to the user of DATABASE_URL.';
    end if;
end $$;
grant usage on schema public to chat_tools;

-- Runs one statement and gives its rows as JSON, `max_rows` at most. Arguments come as text; the caller casts them in
-- the statement. Three more walls: a function that is STABLE may not run anything that writes, the parentheses leave
-- no room for a second statement or for one that is not a query, and a cursor takes no more than one statement.
create function run_tool_statement(statement text, arguments text[], max_rows integer) returns setof json
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  item json;
begin
  for item in execute format(E'select to_json(rows_of_tool) from (%s\n) rows_of_tool limit %s', statement, max_rows)
    using arguments[1], arguments[2], arguments[3], arguments[4],
          arguments[5], arguments[6], arguments[7], arguments[8]
  loop
    return next item;
  end loop;
end $$;
revoke all on function run_tool_statement(text, text[], integer) from public;
do $$
begin
  execute format('grant execute on function run_tool_statement(text, text[], integer) to %I', current_user);
  -- The new owner of a function needs CREATE on its schema, for the moment of the change only.
  grant create on schema public to chat_tools;
  alter function run_tool_statement(text, text[], integer) owner to chat_tools;
  revoke create on schema public from chat_tools;
end $$;
