-- What happens to versions in a bucket that somebody follows.

-- Called by whatever changes a version, where `ground.recorded` says so, while the lock on the
-- key's head is held: so the numbers of a key's changes rise as they are committed.
create or replace function record_change(
  b bigint, k bytea, v bytea, what smallint, was bytea default null)
returns void language plpgsql as $$
begin
  -- Before the number is drawn, as change_horizon() wants it.
  perform pg_current_xact_id();
  insert into changes (bucket_id, key, version, what, old_key) values (b, k, v, what, was);
end $$;

-- Whether changes of the bucket are recorded from now on. False: there is no such bucket.
create or replace function follow_changes(b bigint, wanted boolean) returns boolean
language plpgsql as $$
begin
  perform lock_bucket(b);
  update buckets set records_changes = wanted where id = b;
  return found;
end $$;

-- A horizon: every number drawn until now is at most `number`, by a transaction below `below`. Once
-- is_past(below) holds, each of those is in the table or never will be.
create or replace function change_horizon(out number bigint, out below text)
language plpgsql as $$
begin
  select case when is_called then last_value else 0 end into number from changes_number_seq;
  -- Whoever drew a number before has an older one.
  below := pg_current_xact_id()::text;
end $$;

create or replace function is_past(below text) returns boolean language plpgsql as $$
begin
  return pg_snapshot_xmin(pg_current_snapshot()) >= below::xid8;
end $$;
