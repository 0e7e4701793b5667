-- Object versions over extents of immutable streams.

-- What a version carries beside bytes and headers, and the one place where such a thing is added:
-- `alter type attributes add attribute`. Everything that names them is made of this type when the
-- functions are applied. The modes of retention are those of Retention; its time is in ms.
create type attributes as (
  acl bytea,
  tags bytea,
  retain_mode smallint,
  retain_until bigint,
  legal_hold boolean,
  encryption bytea
);

-- One head per key: its newest version, delete markers included. `manifest` names the rows of
-- object_parts and object_extents; a single extent lies in the row.
create table objects (
  bucket_id bigint not null,
  key bytea not null,
  version bytea not null,
  is_null boolean not null,
  delete_marker boolean not null,
  shared boolean not null default false,
  size bigint not null,
  etag text not null,
  owner_account text not null,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  headers bytea,
  part_count integer not null default 0,
  extent_count integer not null default 0,
  manifest bytea,
  stream bytea,
  stream_size bigint,
  stream_offset bigint,
  -- NULL for most.
  attributes attributes,
  -- True: a delete marker with no version left behind it; else NULL.
  lone_marker boolean,
  -- In `versions`: when a newer version took its place (ms).
  replaced_ms bigint,
  primary key (bucket_id, key)
) partition by hash (bucket_id);

-- Older versions. The columns of both tables are the same and stay so: a row moves from one to the
-- other as it is.
create table versions (like objects) partition by hash (bucket_id);
alter table versions add primary key (bucket_id, key, version);
create index versions_null on versions (bucket_id, key) where is_null;

do $$
begin
  for i in 0..15 loop
    execute format(
      'create table objects_%s partition of objects for values with (modulus 16, remainder %s)'
      ' with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05,'
      ' autovacuum_analyze_scale_factor = 0.5)', i, i);
    execute format(
      'create table versions_%s partition of versions'
      ' for values with (modulus 16, remainder %s)', i, i);
  end loop;
end $$;
create index objects_listed on objects (bucket_id, key) where not delete_marker;
-- What lifecycle rules look at, by age: version ids begin with their time.
create index objects_aged on objects (bucket_id, version) where not delete_marker;
create index objects_lone on objects (bucket_id, version) where lone_marker;
create index versions_replaced on versions (bucket_id, replaced_ms, version);

create table object_extents (
  manifest bytea not null,
  start bigint not null,
  stream bytea not null,
  stream_size bigint not null,
  stream_offset bigint not null,
  length bigint not null,
  primary key (manifest, start)
);

create table object_parts (
  manifest bytea not null,
  number integer not null,
  start bigint not null,
  size bigint not null,
  etag text not null,
  checksum_algorithm smallint,
  checksum bytea,
  primary key (manifest, number)
);

-- Streams that more than one extent row refers to, with how many.
create table shared_streams (
  stream bytea primary key,
  refs bigint not null
);

-- What a commit answers. `status` is a CommitStatus; what it adds to the counters of its bucket is
-- for the function that counts.
create type outcome as (
  status smallint,
  version bytea,
  is_null boolean,
  size bigint,
  etag text,
  delete_marker boolean,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  detail text,
  d_objects bigint,
  d_versions bigint,
  d_bytes bigint
);

-- Conditions on a current version that may be absent. Lists of ETags are what a client sent,
-- whatever bytes those are: they are never text, which could refuse them. They are separated by
-- 0x1f, which no ETag holds; times in ms.
create type conditions as (
  if_match bytea,
  if_none_match bytea,
  if_modified_since bigint,
  if_unmodified_since bigint,
  if_size bigint,
  if_modified_at bigint
);

-- A PUT of a batch: what the function of that name decides on and stores, but for the attributes,
-- which stand beside it. The program sends such rows field by field, so a type of rows never
-- changes: one with another field has another name, as has the function that takes it.
create type put_row as (
  bucket_id bigint,
  settings bigint,
  epoch bigint,
  key bytea,
  clock bytea,
  versioning smallint,
  size bigint,
  etag text,
  owner_account text,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  headers bytea,
  stream bytea,
  stream_size bigint,
  if_match bytea,
  if_none_match bytea
);

-- A DELETE of a batch. `choice` is a VersionChoice, `guard` a DeleteObject::Guard.
create type delete_row as (
  bucket_id bigint,
  settings bigint,
  key bytea,
  clock bytea,
  versioning smallint,
  choice smallint,
  named bytea,
  owner_account text,
  if_match bytea,
  if_none_match bytea,
  if_unmodified_since bigint,
  if_size bigint,
  if_modified_at bigint,
  bypass boolean,
  guard smallint,
  lock_ms bigint
);

-- An entry of a listing: a version, or a common prefix, which has a key alone.
create type listed_version as (
  key bytea,
  is_prefix boolean,
  version bytea,
  is_null boolean,
  delete_marker boolean,
  latest boolean,
  size bigint,
  etag text,
  owner_account text,
  checksum_algorithm smallint,
  checksum_type smallint
);
