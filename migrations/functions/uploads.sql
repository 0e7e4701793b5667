-- Multipart uploads and their parts. The upload's row orders parts, Complete and Abort: parts share
-- it, the others take it whole.

-- begun_ms: the gateway's clock. An upload begins by the later one of both, so that a clock which
-- was behind makes nothing old.
create or replace function create_upload(
  b bigint, settings bigint, u bytea, k bytea, initiator text, owner text, h bytea,
  algorithm smallint, type smallint, a attributes, begun_ms bigint)
returns smallint language plpgsql as $$
declare
  context smallint := (check_context(b, settings, 0)).status;
begin
  if context = :CommitStatus.kCommitted then
    insert into uploads (id, bucket_id, key, initiator_account, owner_account, headers,
        checksum_algorithm, checksum_type, initiated_at, attributes)
      values (u, b, k, initiator, owner, h, algorithm, type,
        greatest(now(), to_timestamp(begun_ms / 1000.0)), a);
  end if;
  return context;
end $$;

create or replace function release_part(u bytea, n integer) returns void language plpgsql as $$
declare
  e upload_extents;
begin
  for e in
    with gone as (delete from upload_extents where upload = u and number = n returning *)
    select * from gone order by stream
  loop
    perform release_stream(e.stream, e.stream_size, true);
  end loop;
  delete from upload_parts where upload = u and number = n;
end $$;

-- Locks the upload for a part and the part's number. False: there is no such upload.
create or replace function lock_part(b bigint, u bytea, k bytea, n integer) returns boolean
language plpgsql as $$
begin
  perform 1 from uploads where id = u and bucket_id = b and key = k for key share;
  if not found then
    return false;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(encode(u, 'hex'), n));
  return true;
end $$;

-- The source of a part, under its head, as whoever removes it locks them.
create or replace function lock_source(source copy_source) returns objects language plpgsql as $$
begin
  perform 1 from objects where bucket_id = source.bucket_id and key = source.key for update;
  return find_source(source.bucket_id, source.key, source.version);
end $$;

-- `source`: what the bytes were read from, where they were written anew.
create or replace function put_part(
  b bigint, settings bigint, epoch bigint, first_ms bigint, u bytea, k bytea, n integer, part_size bigint,
  part_etag text, algorithm smallint, part_checksum bytea, part_layout smallint,
  part_stream bytea, part_stream_size bigint, source copy_source default null)
returns outcome language plpgsql as $$
declare
  o outcome := refusal(:CommitStatus.kCommitted);
  context smallint := (check_contexts(b, settings, source, epoch, first_ms)).status;
begin
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  if not lock_part(b, u, k, n) then
    return refusal(:CommitStatus.kNoSuchUpload);
  end if;
  if source.bucket_id is not null then
    context := check_source(lock_source(source), source);
    if context <> :CommitStatus.kCommitted then
      return refusal(context);
    end if;
  end if;
  perform release_part(u, n);
  insert into upload_parts (upload, number, size, etag, checksum_algorithm, checksum)
    values (u, n, part_size, part_etag, algorithm, part_checksum);
  if part_stream is not null then
    insert into upload_extents (upload, number, start, stream, stream_size, stream_offset, length,
        layout)
      values (u, n, 0, part_stream, part_stream_size, 0, part_size, part_layout);
  end if;
  o.size := part_size;
  o.etag := part_etag;
  return o;
end $$;

-- A part over the extents of a version.
create or replace function copy_part(
  b bigint, settings bigint, u bytea, k bytea, n integer, part_size bigint, part_etag text, algorithm smallint,
  part_checksum bytea, source copy_source, source_offset bigint)
returns outcome language plpgsql as $$
declare
  o outcome := refusal(:CommitStatus.kCommitted);
  s objects;
  e record;
  context smallint := (check_contexts(b, settings, source)).status;
begin
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  if not lock_part(b, u, k, n) then
    return refusal(:CommitStatus.kNoSuchUpload);
  end if;
  s := lock_source(source);
  context := check_source(s, source);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  -- In the order of streams, as a copy does: what the part before gives up, and what is copied.
  perform 1 from shared_streams where stream in (
      select stream from upload_extents where upload = u and number = n
      union select stream from object_extents where manifest = s.manifest
      union select s.stream)
    order by stream for update;
  perform release_part(u, n);
  insert into upload_parts (upload, number, size, etag, checksum_algorithm, checksum)
    values (u, n, part_size, part_etag, algorithm, part_checksum);
  if s.extent_count = 1 and part_size > 0 then
    perform add_reference(s.stream);
    perform mark_shared(s);
    insert into upload_extents (upload, number, start, stream, stream_size, stream_offset, length,
        layout)
      values (u, n, 0, s.stream, s.stream_size, s.stream_offset + source_offset, part_size,
        s.layout);
  elsif s.extent_count > 1 and part_size > 0 then
    for e in
      select greatest(start, source_offset) as first,
        least(start + length, source_offset + part_size) as last,
        start, stream, stream_size, stream_offset, layout
      from object_extents
      where manifest = s.manifest and start < source_offset + part_size
        and start + length > source_offset
      order by object_extents.stream
    loop
      perform add_reference(e.stream);
      insert into upload_extents (upload, number, start, stream, stream_size, stream_offset, length,
          layout)
        values (u, n, e.first - source_offset, e.stream, e.stream_size,
          e.stream_offset + e.first - e.start, e.last - e.first, e.layout);
    end loop;
  end if;
  o.size := part_size;
  o.etag := part_etag;
  return o;
end $$;

-- By who was allowed to under these settings.
create or replace function abort_upload_as(b bigint, settings bigint, u bytea, k bytea)
returns smallint language plpgsql as $$
declare
  context smallint := (check_context(b, settings, 0)).status;
begin
  return case when context = :CommitStatus.kCommitted then abort_upload(b, u, k) else context end;
end $$;

create or replace function abort_upload(b bigint, u bytea, k bytea) returns smallint
language plpgsql as $$
declare
  e upload_extents;
begin
  perform 1 from uploads where id = u and bucket_id = b and key = k for update;
  if not found then
    return :CommitStatus.kNoSuchUpload;
  end if;
  for e in select * from upload_extents where upload = u order by stream loop
    perform release_stream(e.stream, e.stream_size, true);
  end loop;
  delete from uploads where id = u;
  return :CommitStatus.kCommitted;
end $$;
