-- Conversations, each with its owner, and the keys with which users come in.

-- Every user has a namespace of ids: nobody can find out, or take, the ids of others.
create table chat_sessions (
  user_id    text not null check (user_id <> ''),
  id         text not null check (length(id) between 1 and 128),
  agent_name text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, id)
);
create index chat_sessions_by_user on chat_sessions (user_id, updated_at desc);

-- The foreign key over both columns: a message belongs to the owner of its session, whatever a statement forgets.
create table chat_messages (
  id         bigint generated always as identity primary key,
  user_id    text not null,
  session_id text not null,
  role       text not null check (role in ('user', 'assistant')),
  content    text not null,
  created_at timestamptz not null default now(),
  foreign key (user_id, session_id) references chat_sessions (user_id, id) on delete cascade
);
create index chat_messages_by_session on chat_messages (user_id, session_id, id);

create table api_keys (
  id         uuid primary key default gen_random_uuid(),
  -- sha-256 of the key, in hexadecimal: the key itself is shown once and kept nowhere
  key_hash   text not null unique check (key_hash ~ '^[0-9a-f]{64}$'),
  -- the first characters of the key, to tell keys apart in lists
  prefix     text not null,
  name       text not null default '',
  user_id    text not null check (user_id <> ''),
  scopes     text[] not null default '{}',
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index api_keys_by_user on api_keys (user_id);
create trigger touch before update on api_keys for each row execute function touch_updated_at();
