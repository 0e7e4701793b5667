-- Nobody waits for what somebody else holds: functions of batches say what they left out. Pages
-- go on by an index, and a bucket goes at once however many uploads it has.
-- Programs made for fewer migrations call functions that are gone.

update cluster set min_binary = 8;

-- The order of a listing: of a key the newest first. It is what the primary key was, too.
alter table versions drop constraint versions_pkey;
create unique index versions_key on versions (bucket_id, key, version desc);

-- Buckets that are gone, whose uploads are still to be released: a bucket goes in one statement,
-- its uploads by slices. Nothing finds or changes an upload of a bucket that is not there.
alter table uploads drop constraint uploads_bucket_id_fkey;
create table deleted_buckets (
  bucket_id bigint primary key,
  deleted_at timestamptz not null default now()
);

-- Which buckets have lifecycle rules.
create index bucket_settings_lifecycle on bucket_settings (bucket_id)
  where kind = :SettingKind.kLifecycle;

-- What has other parameters now, or is gone.
drop function if exists put_objects(put_row[], attributes[]);
drop function if exists delete_objects(delete_row[]);
drop function if exists delete_version(bigint, bytea, bytea, boolean, conditions, boolean, bigint);
drop function if exists delete_current(bigint, bytea, bytea, smallint, text, conditions);
drop function if exists guard_holds(delete_row);
drop function if exists place_version(objects, smallint, conditions);
drop function if exists count_usage(bigint, bigint, bigint, bigint);
