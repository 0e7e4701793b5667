-- Buckets and their settings; statuses are those of BucketStatus.

-- The number of the advisory lock that stands for a bucket: commits share it, a change of settings
-- that meets them has it for itself. It is only there because a lock on a row is not fair: whoever
-- shares one overtakes who waits to have it alone, and commits that overlap would keep him waiting
-- for ever. Here who comes behind him waits, or is left out of his batch.
create or replace function bucket_turn(b bigint) returns bigint language sql immutable as $$
  select hashint8extended(b, 1)
$$;

-- Locks a bucket's row against all commits: its settings version, NULL when it is not there. Where
-- nobody has it, which is nearly always, that is one lock: so the account's block, which does this for
-- every bucket, needs few advisory locks however many buckets there are.
create or replace function lock_bucket(b bigint) returns bigint language plpgsql as $$
declare
  settings bigint;
begin
  select settings_version into settings from buckets where id = b for update skip locked;
  if not found then
    perform pg_advisory_xact_lock(bucket_turn(b));
    select settings_version into settings from buckets where id = b for update;
  end if;
  return settings;
end $$;

-- The one beginning of every change of a bucket: its row is locked, so that commits which were
-- decided under the settings before end first, or not at all; and those that the change itself was
-- decided under still hold. kOk, or why not. `settings` 0: decided under none.
create or replace function lock_settings(b bigint, settings bigint) returns smallint
language plpgsql as $$
declare
  current_settings constant bigint := lock_bucket(b);
begin
  return case when current_settings is null then :BucketStatus.kNoSuchBucket
              when settings <> 0 and settings <> current_settings
                then :BucketStatus.kSettingsChanged
              else :BucketStatus.kOk end;
end $$;

create or replace function delete_bucket(b bigint, settings bigint) returns smallint
language plpgsql as $$
declare
  ground smallint := lock_settings(b, settings);
begin
  if ground <> :BucketStatus.kOk then
    return ground;
  end if;
  if exists (select 1 from objects where bucket_id = b)
      or exists (select 1 from versions where bucket_id = b) then
    return :BucketStatus.kNotEmpty;
  end if;
  -- However many uploads it has: they are released by and by.
  if exists (select 1 from uploads where bucket_id = b) then
    insert into deleted_buckets (bucket_id) values (b);
  end if;
  delete from buckets where id = b;
  return :BucketStatus.kOk;
end $$;

-- Releases uploads of one bucket that is gone: at most about `max_rows` rows of parts, in this
-- transaction. Many may do it at a time. False: nothing is left to do, or others do it.
create or replace function release_deleted_bucket(max_rows integer) returns boolean
language plpgsql as $$
declare
  b bigint;
  u bytea;
  e upload_extents;
  left_over integer := max_rows;
  taken integer;
begin
  select bucket_id into b from deleted_buckets order by bucket_id limit 1 for update skip locked;
  if not found then
    return false;
  end if;
  for u in select id from uploads where bucket_id = b order by key, id limit max_rows for update loop
    taken := 0;
    for e in
      with gone as (
        delete from upload_extents where upload = u and (number, start) in (
          select number, start from upload_extents where upload = u limit left_over) returning *)
      select * from gone order by stream
    loop
      perform release_stream(e.stream, e.stream_size, true);
      taken := taken + 1;
    end loop;
    left_over := left_over - taken;
    if left_over <= 0 then
      return true;
    end if;
    delete from uploads where id = u;
    left_over := left_over - 1;
  end loop;
  if left_over > 0 and not exists (select from uploads where bucket_id = b) then
    delete from deleted_buckets where bucket_id = b;
  end if;
  return true;
end $$;

-- A document of a bucket whose row is locked; NULL removes it.
create or replace function write_bucket_setting(b bigint, which smallint, wanted bytea)
returns void language plpgsql as $$
begin
  if wanted is null then
    delete from bucket_settings where bucket_id = b and kind = which;
  else
    insert into bucket_settings (bucket_id, kind, document) values (b, which, wanted)
      on conflict (bucket_id, kind) do update set document = excluded.document;
  end if;
end $$;

create or replace function set_bucket_setting(
  b bigint, settings bigint, which smallint, wanted bytea)
returns smallint language plpgsql as $$
declare
  ground smallint := lock_settings(b, settings);
begin
  if ground <> :BucketStatus.kOk then
    return ground;
  end if;
  update buckets set settings_version = settings_version + random_step() where id = b;
  perform write_bucket_setting(b, which, wanted);
  return :BucketStatus.kOk;
end $$;

create or replace function set_bucket_versioning(b bigint, settings bigint, wanted smallint)
returns smallint language plpgsql as $$
declare
  ground smallint := lock_settings(b, settings);
begin
  if ground <> :BucketStatus.kOk then
    return ground;
  end if;
  if (select object_lock from buckets where id = b) and wanted <> :Versioning.kEnabled then
    return :BucketStatus.kWrongState;
  end if;
  update buckets set versioning = wanted, settings_version = settings_version + random_step()
    where id = b;
  return :BucketStatus.kOk;
end $$;

create or replace function set_object_lock(b bigint, settings bigint, lock_document bytea)
returns smallint language plpgsql as $$
declare
  ground smallint := lock_settings(b, settings);
begin
  if ground <> :BucketStatus.kOk then
    return ground;
  end if;
  if (select versioning from buckets where id = b) <> :Versioning.kEnabled then
    return :BucketStatus.kWrongState;
  end if;
  update buckets set object_lock = true, settings_version = settings_version + random_step()
    where id = b;
  perform write_bucket_setting(b, :SettingKind.kObjectLock::smallint, lock_document);
  return :BucketStatus.kOk;
end $$;

-- Tells gateways what to forget: settings and credentials alone, never objects.
create or replace function notify_directory() returns trigger language plpgsql as $$
begin
  if tg_table_name = 'buckets' then
    perform pg_notify('rondel_directory', 'b' || coalesce(new.name, old.name));
  elsif tg_table_name = 'access_keys' then
    perform pg_notify('rondel_directory', 'k' || coalesce(new.access_key, old.access_key));
  else
    perform pg_notify('rondel_directory', 'a' || coalesce(new.id, old.id));
  end if;
  return null;
end $$;
create or replace trigger buckets_notify after insert or update or delete on buckets
  for each row execute function notify_directory();
create or replace trigger keys_notify after insert or update or delete on access_keys
  for each row execute function notify_directory();
create or replace trigger accounts_notify after insert or update or delete on accounts
  for each row execute function notify_directory();
