-- What nodes recognise the database by, numbers of removals and restores, and what is to be taken
-- out of the trash again.

-- Marks: written each minute, at each claim of leadership and before each round of removals. The
-- value is random, so a database holds a mark exactly when it was written in its own past. Kept for
-- longer than trash and journal, and as long as a node has it.
create table cluster_marks (
  counter bigint primary key,
  value bigint not null,
  written_at timestamptz not null default now(),
  timeline bigint not null,
  position pg_lsn not null
);

create function write_mark() returns cluster_marks language sql as $$
  insert into cluster_marks (counter, value, timeline, position)
  select coalesce(max(counter), 0) + 1,
    ('x' || substr(md5(gen_random_uuid()::text || gen_random_uuid()::text), 1, 16))::bit(64)
      ::bigint,
    ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::bigint,
    pg_current_wal_flush_lsn()
  from cluster_marks
  returning *
$$;
select write_mark();

-- One row: counts removals and restores. Of two orders about a blob the higher one holds.
create table removal_orders (
  only_row boolean primary key default true check (only_row),
  number bigint not null default 0
);
insert into removal_orders default values;

-- What a node remembers and whether this database is what it remembers (model::Recognition), judged
-- under which `accepted`; `beat` counts its heartbeats, and stands still while it is not.
alter table nodes
  add column beat bigint not null default 0,
  add column recognition smallint not null default 1,
  add column recognized_under bigint not null default 0,
  add column seen_accepted bigint not null default 0,
  add column seen_mark bigint not null default 0,
  add column told_mark bigint not null default 0,
  add column highest_order bigint not null default 0;

-- Trash is to be looked through for what rows refer to, on every disk whose row in trash_restores
-- has a lower number; nothing is purged there before.
alter table garbage_collection add column restore_number bigint not null default 0;

create table trash_restores (
  disk bytea primary key,
  number bigint not null,
  blobs bigint not null,
  ended_at timestamptz not null default now()
);

-- What this database is to a node that remembers that much: a model::Recognition.
create function recognize_memory(
  node bytea, seen_accepted bigint, seen_system bigint, seen_counter bigint, seen_value bigint,
  seen_beat bigint) returns smallint language sql stable as $$
  select (case
    when (seen_accepted, seen_system, seen_counter, seen_value, seen_beat) = (0, 0, 0, 0, 0) then 1
    when g.accepted > seen_accepted then 2
    when g.accepted < seen_accepted then 3
    when (select system_identifier from pg_control_system()) <> seen_system then 4
    when not exists (
      select from cluster_marks m where m.counter = seen_counter and m.value = seen_value) then 5
    when coalesce((select n.beat from nodes n where n.id = node), 0) < seen_beat then 6
    else 1 end)::smallint
  from garbage_collection g
$$;
