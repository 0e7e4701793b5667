-- Buckets and their settings; statuses are those of BucketStatus.

create or replace function delete_bucket(b bigint) returns smallint language plpgsql as $$
begin
  perform 1 from buckets where id = b for update;
  if not found then
    return :BucketStatus.kNoSuchBucket;
  end if;
  if exists (select 1 from objects where bucket_id = b)
      or exists (select 1 from versions where bucket_id = b) then
    return :BucketStatus.kNotEmpty;
  end if;
  if exists (select 1 from uploads where bucket_id = b) then
    perform abort_upload(b, u.id, u.key)
      from (select id, key from uploads where bucket_id = b order by id) u;
  end if;
  delete from buckets where id = b;
  return :BucketStatus.kOk;
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

-- Commits that were decided under the settings before end first, or not at all.
create or replace function set_bucket_setting(b bigint, which smallint, wanted bytea)
returns smallint language plpgsql as $$
begin
  perform 1 from buckets where id = b for update;
  if not found then
    return :BucketStatus.kNoSuchBucket;
  end if;
  update buckets set settings_version = settings_version + 1 where id = b;
  perform write_bucket_setting(b, which, wanted);
  return :BucketStatus.kOk;
end $$;

create or replace function set_bucket_versioning(b bigint, wanted smallint) returns smallint
language plpgsql as $$
declare
  locked boolean;
begin
  select object_lock into locked from buckets where id = b for update;
  if not found then
    return :BucketStatus.kNoSuchBucket;
  end if;
  if locked and wanted <> :Versioning.kEnabled then
    return :BucketStatus.kWrongState;
  end if;
  update buckets set versioning = wanted, settings_version = settings_version + 1 where id = b;
  return :BucketStatus.kOk;
end $$;

create or replace function set_object_lock(b bigint, lock_document bytea) returns smallint
language plpgsql as $$
declare
  current smallint;
begin
  select versioning into current from buckets where id = b for update;
  if not found then
    return :BucketStatus.kNoSuchBucket;
  end if;
  if current <> :Versioning.kEnabled then
    return :BucketStatus.kWrongState;
  end if;
  update buckets set object_lock = true, settings_version = settings_version + 1 where id = b;
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
