-- Before bytes go, the queue is looked through once more for what something refers to: only rows that were looked at are handed out for
-- removal. NULL = not yet. A look takes many rows at a time, so their index costs a release nothing.
alter table released_streams add column checked_at timestamptz;
create index released_checked on released_streams (checked_at, id) where checked_at is not null;

-- Released streams that something refers to, which cannot be: they are never removed, and stay for an operator to see. When the last
-- reference goes the stream is released as any other.
create table referenced_releases (
  id bigint primary key,
  stream bytea not null,
  size bigint not null,
  released_at timestamptz not null,
  found_at timestamptz not null default now()
);
