-- Multipart uploads.

create table uploads (
  id bytea primary key,
  bucket_id bigint not null references buckets,
  key bytea not null,
  initiator_account text not null,
  owner_account text not null,
  headers bytea,
  checksum_algorithm smallint,
  checksum_type smallint not null,
  initiated_at timestamptz not null default now(),
  attributes attributes
);
create index uploads_listed on uploads (bucket_id, key, initiated_at, id);
create index uploads_aged on uploads (bucket_id, initiated_at);

create table upload_parts (
  upload bytea not null references uploads on delete cascade,
  number integer not null,
  size bigint not null,
  etag text not null,
  checksum_algorithm smallint,
  checksum bytea,
  modified_at timestamptz not null default now(),
  primary key (upload, number)
);

create table upload_extents (
  upload bytea not null references uploads on delete cascade,
  number integer not null,
  start bigint not null,
  stream bytea not null,
  stream_size bigint not null,
  stream_offset bigint not null,
  length bigint not null,
  primary key (upload, number, start)
);
create index upload_extents_stream on upload_extents (stream);

-- A repeated Complete gets its first answer for 7 days.
create table completed_uploads (
  upload bytea primary key,
  bucket_id bigint not null,
  key bytea not null,
  version bytea not null,
  is_null boolean not null,
  size bigint not null,
  etag text not null,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  completed_at timestamptz not null default now()
);
create index completed_uploads_time on completed_uploads (completed_at);

-- An entry of a listing: an upload, or a common prefix, which has a key alone.
create type listed_upload as (
  key bytea,
  is_prefix boolean,
  upload bytea,
  initiator_account text,
  owner_account text,
  checksum_algorithm smallint,
  checksum_type smallint,
  initiated_us bigint
);
