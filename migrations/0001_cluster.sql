-- The cluster: who it is, its storage nodes, its rings and who coordinates.

-- `min_binary`: the lowest schema that a gateway must have been made for to run on this database.
create table cluster (
  only_row boolean primary key default true check (only_row),
  id bytea not null check (length(id) = 16),
  min_binary integer not null default 1
);
insert into cluster (id) values (uuid_send(gen_random_uuid()));

create view schema_version as select max(number) as number from schema_migrations;

-- `recognition`: whether this database is what the node remembers, judged under which `accepted`;
-- `beat` counts its heartbeats, and stands still while it is not.
create table nodes (
  id bytea primary key,
  address text not null,
  operations_address text not null,
  host text not null,
  zone text not null,
  disks jsonb not null,
  last_seen timestamptz not null,
  beat bigint not null default 0,
  recognition smallint not null default :Recognition.kHeld,
  recognized_under bigint not null default 0,
  seen_accepted bigint not null default 0,
  seen_mark bigint not null default 0,
  told_mark bigint not null default 0,
  highest_order bigint not null default 0
) with (fillfactor = 50);

create table ring_epochs (
  epoch bigint primary key,
  ring_table bytea not null,
  live boolean not null default true,
  published_at timestamptz not null default now()
);

create table ring_state (
  only_row boolean primary key default true check (only_row),
  min_epoch bigint not null default 0
);
insert into ring_state default values;

create table coordinator (
  only_row boolean primary key default true check (only_row),
  token bigint not null default 0
);
insert into coordinator default values;

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
