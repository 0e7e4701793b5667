-- Extents say how their stream is laid out; buckets can have their changes recorded; a commit says
-- how old its bytes are; accounts count what was taken from their keys.
-- Programs made for fewer migrations call functions that are gone.

update cluster set min_binary = 7;

-- `layout`: a Layout. Of a version without an extent in its row it says nothing.
alter table objects add column layout smallint not null default :Layout.kReplicated;
alter table versions add column layout smallint not null default :Layout.kReplicated;
alter table object_extents add column layout smallint not null default :Layout.kReplicated;
alter table upload_extents add column layout smallint not null default :Layout.kReplicated;

-- Something reads the bucket's changes: they are recorded. Set and taken back under the bucket's
-- row FOR UPDATE, so that each commit sees one or the other.
alter table buckets add column records_changes boolean not null default false;

-- A row for each change of a version in such a bucket, in the same transaction. `what` is a Change;
-- `old_key`: what a renamed object was called. A reader takes rows away.
create table changes (
  bucket_id bigint not null,
  number bigint generated always as identity (cache 1),
  key bytea not null,
  version bytea not null,
  what smallint not null,
  old_key bytea,
  changed_at timestamptz not null default now(),
  primary key (bucket_id, number)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- What a commit is decided on, but for its own row: a CommitStatus, and whether it is recorded.
create type ground as (
  status smallint,
  recorded boolean
);

-- Rises when a key of the account is disabled or removed, or the account is disabled.
alter table accounts add column credential_epoch bigint not null default 1;

-- Rows of a PUT say when their bytes were begun (`first_ms`, by this database's clock; NULL: none).
drop type put_row cascade;
create type put_row as (
  bucket_id bigint,
  settings bigint,
  epoch bigint,
  first_ms bigint,
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
  layout smallint,
  stream bytea,
  stream_size bigint,
  if_match bytea,
  if_none_match bytea
);

-- What has other parameters now.
drop function if exists check_context(bigint, bigint, bigint);
drop function if exists put_part(bigint, bigint, bytea, bytea, integer, bigint, text, smallint,
  bytea, bytea, bigint);
drop function if exists append_object(bigint, bigint, bigint, bytea, bytea, smallint, bigint, text,
  bigint, text, text, smallint, smallint, bytea, bytea, bytea, bigint, conditions, attributes);
