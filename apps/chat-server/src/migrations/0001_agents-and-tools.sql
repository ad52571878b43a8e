-- Agents, their tools, and who may use them.

create function touch_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end $$;

create table agent_configurations (
  id           uuid primary key default gen_random_uuid(),
  agent_name   text not null unique check (agent_name ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$'),
  description  text not null default '',
  instructions text not null check (instructions <> ''),
  llm_config   jsonb not null default '{}' check (jsonb_typeof(llm_config) = 'object'),
  -- true: every user may use it; false: those in agent_access
  is_public    boolean not null default false,
  is_active    boolean not null default true,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now()
);
create trigger touch before update on agent_configurations for each row execute function touch_updated_at();

create table agent_access (
  agent_id   uuid not null references agent_configurations on delete cascade,
  user_id    text not null check (user_id <> ''),
  created_at timestamptz not null default now(),
  primary key (agent_id, user_id)
);
create index agent_access_by_user on agent_access (user_id);

create table tools (
  id          uuid primary key default gen_random_uuid(),
  name        text not null check (name ~ '^[a-zA-Z0-9_-]{1,64}$'),
  kind        text not null check (kind <> ''),
  description text not null default '',
  config      jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
  args_schema jsonb not null default '{"type": "object", "properties": {}, "additionalProperties": false}'
              check (jsonb_typeof(args_schema) = 'object'),
  is_active   boolean not null default true,
  is_deleted  boolean not null default false,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);
-- A deleted tool leaves its name free. Names are unique over all tools, so they are within an agent.
create unique index tools_name on tools (name) where not is_deleted;
create trigger touch before update on tools for each row execute function touch_updated_at();

create table agent_tools (
  id              uuid primary key default gen_random_uuid(),
  agent_id        uuid not null references agent_configurations on delete cascade,
  tool_id         uuid not null references tools on delete cascade,
  -- the order in which the model sees the tools; equal positions are ordered by name
  position        integer not null default 0,
  -- JSON Merge Patch over tools.config; each kind of tool says which parts may be changed
  config_override jsonb not null default '{}' check (jsonb_typeof(config_override) = 'object'),
  is_active       boolean not null default true,
  is_deleted      boolean not null default false,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now()
);
create unique index agent_tools_once on agent_tools (agent_id, tool_id) where not is_deleted;
create index agent_tools_by_tool on agent_tools (tool_id) where not is_deleted;
create trigger touch before update on agent_tools for each row execute function touch_updated_at();

create table user_agent_instructions (
  user_id      text not null check (user_id <> ''),
  agent_id     uuid not null references agent_configurations on delete cascade,
  instructions text not null default '',
  is_active    boolean not null default true,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (user_id, agent_id)
);
create index user_agent_instructions_by_agent on user_agent_instructions (agent_id);
-- How the cache asks: one text for the pair.
create unique index user_agent_instructions_by_key on user_agent_instructions ((agent_id::text || '/' || user_id));
create trigger touch before update on user_agent_instructions for each row execute function touch_updated_at();
