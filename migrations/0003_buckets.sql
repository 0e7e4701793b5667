-- Buckets, their settings and counters, and how far lifecycle has come in them.

create table buckets (
  id bigint generated always as identity primary key,
  name text collate "C" not null unique,
  owner_account text not null references accounts,
  region text not null,
  created_at timestamptz not null default now(),
  versioning smallint not null default :Versioning.kNever,
  object_lock boolean not null default false,
  settings_version bigint not null default 1
);
create index buckets_owner on buckets (owner_account, name);

create table bucket_settings (
  bucket_id bigint not null references buckets on delete cascade,
  kind smallint not null,
  document bytea not null,
  primary key (bucket_id, kind)
);

-- Exact counters in slots, so that concurrent commits rarely meet.
create table bucket_usage (
  bucket_id bigint not null references buckets on delete cascade,
  slot smallint not null,
  objects bigint not null default 0,
  versions bigint not null default 0,
  bytes bigint not null default 0,
  primary key (bucket_id, slot)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.1);

-- How far each rule's scan has got (a rule is known by the digest of its text).
create table lifecycle_cursors (
  bucket_id bigint not null references buckets on delete cascade,
  scan smallint not null,
  rule bytea not null,
  position bytea not null,
  primary key (bucket_id, scan, rule)
) with (fillfactor = 50);

-- Keys to look at again.
create table lifecycle_rechecks (
  bucket_id bigint not null references buckets on delete cascade,
  key bytea not null,
  due_ms bigint not null,
  primary key (bucket_id, key)
);
create index lifecycle_rechecks_due on lifecycle_rechecks (bucket_id, due_ms);
