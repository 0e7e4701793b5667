-- Bytes that nobody refers to any more, and how they go.

-- Removed from the disks after their grace and a second look: before bytes go, the queue is looked
-- through once more for what something refers to, and only rows that were looked at are handed out
-- for removal. `checked_at` is NULL until then. A look takes many rows at a time, so their index
-- costs a release nothing.
create table released_streams (
  id bigint generated always as identity primary key,
  stream bytea not null,
  size bigint not null,
  released_at timestamptz not null default now(),
  checked_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index released_checked on released_streams (checked_at, id) where checked_at is not null;

-- Released streams that something refers to, which cannot be: they are never removed, and stay for
-- an operator to see. When the last reference goes the stream is released as any other.
create table referenced_releases (
  id bigint primary key,
  stream bytea not null,
  size bigint not null,
  released_at timestamptz not null,
  found_at timestamptz not null default now()
);

-- What an operator confirmed, why removal is halted, how many orphans the next pass may release
-- when that is more than usual, and the ages that whoever leads goes by. Trash is to be looked
-- through for what rows refer to on every disk whose row in trash_restores has a number below
-- `restore_number`; nothing is purged there before.
create table garbage_collection (
  only_row boolean primary key default true check (only_row),
  accepted bigint not null default 0,
  halted text not null default '',
  halted_at timestamptz,
  allowance bigint not null default 0,
  grace_s bigint not null default 0,
  trash_s bigint not null default 0,
  orphan_age_s bigint not null default 0,
  restore_number bigint not null default 0
);
insert into garbage_collection default values;

-- What the reconcile scan released lately, by disk: its breaker counts over several passes.
create table orphan_releases (
  disk bytea not null,
  blobs bigint not null,
  released_at timestamptz not null default now()
);

-- One row: counts removals and restores. Of two orders about a blob the higher one holds.
create table removal_orders (
  only_row boolean primary key default true check (only_row),
  number bigint not null default 0
);
insert into removal_orders default values;

create table trash_restores (
  disk bytea primary key,
  number bigint not null,
  blobs bigint not null,
  ended_at timestamptz not null default now()
);
