-- What the tools of the demo agents read. Tools see the granted columns only, never `internal_note` or `body`.

create table demo_tasks (
  id            integer generated always as identity primary key,
  user_id       text not null,
  title         text not null,
  status        text not null default 'open' check (status in ('open', 'done')),
  priority      integer not null default 2 check (priority between 1 and 3),
  due_on        date,
  internal_note text
);
create index demo_tasks_by_user on demo_tasks (user_id, due_on);

create table demo_emails (
  id          integer generated always as identity primary key,
  user_id     text not null,
  sender      text not null,
  subject     text not null,
  snippet     text not null default '',
  body        text not null default '',
  is_read     boolean not null default false,
  received_at timestamptz not null
);
create index demo_emails_by_user on demo_emails (user_id, received_at desc);

create table demo_products (
  sku         text primary key,
  name        text not null,
  price_cents integer not null,
  stock       integer not null,
  cost_cents  integer not null
);

grant select (id, user_id, title, status, priority, due_on) on demo_tasks to chat_tools;
grant select (id, user_id, sender, subject, snippet, is_read, received_at) on demo_emails to chat_tools;
grant select (sku, name, price_cents, stock) on demo_products to chat_tools;

-- Which seeds this database has had. Each comes once: what an admin then changes or deletes stays changed or deleted.
create table applied_seeds (
  name       text primary key,
  applied_at timestamptz not null default now()
);
