-- A node has a name, that of its certificate, and keeps it: bound at its first heartbeat that says it.
-- Null until then, and after an operator let go of it.
alter table nodes add column name text;
create unique index nodes_name on nodes (name);

-- How far the clock of each gateway is ahead of this database's: whose clock is wrong is decided by
-- all of them. A row an hour old is of a process that ended.
create table gateway_clocks (
  gateway bytea primary key,
  ahead_us bigint not null,
  told_at timestamptz not null default now()
) with (fillfactor = 50);
