-- What nodes recognise the database by.

create or replace function write_mark() returns cluster_marks language sql as $$
  insert into cluster_marks (counter, value, timeline, position)
  select coalesce(max(counter), 0) + 1,
    ('x' || substr(md5(gen_random_uuid()::text || gen_random_uuid()::text), 1, 16))::bit(64)
      ::bigint,
    ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::bigint,
    pg_current_wal_flush_lsn()
  from cluster_marks
  returning *
$$;
-- A database has one from its first moment.
select write_mark() where not exists (select from cluster_marks);

-- What this database is to a node that remembers that much.
create or replace function recognize_memory(
  node bytea, seen_accepted bigint, seen_system bigint, seen_counter bigint, seen_value bigint,
  seen_beat bigint) returns smallint language sql stable as $$
  select (case
    when (seen_accepted, seen_system, seen_counter, seen_value, seen_beat) = (0, 0, 0, 0, 0)
      then :Recognition.kHeld
    when g.accepted > seen_accepted then :Recognition.kConfirmed
    when g.accepted < seen_accepted then :Recognition.kBeforeConfirmation
    when (select system_identifier from pg_control_system()) <> seen_system
      then :Recognition.kOtherSystem
    when not exists (
      select from cluster_marks m where m.counter = seen_counter and m.value = seen_value)
      then :Recognition.kMarkMissing
    when coalesce((select n.beat from nodes n where n.id = node), 0) < seen_beat
      then :Recognition.kBeatMissing
    else :Recognition.kHeld end)::smallint
  from garbage_collection g
$$;
