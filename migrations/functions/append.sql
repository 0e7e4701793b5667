-- Append.

-- The first bytes of an object that was not there.
create or replace function append_first(n objects) returns outcome language plpgsql as $$
declare
  o outcome;
  absent conditions;
begin
  absent.if_none_match := '*';
  o := place_version(n, :Versioning.kNever::smallint, absent);
  if o.status <> :CommitStatus.kCommitted then
    -- An object came since, and is not replaced: at offset 0 this is a refusal when it runs again.
    raise exception 'the object came meanwhile' using errcode = '40001';
  end if;
  perform count_usage(n.bucket_id, o.d_objects, o.d_versions, o.d_bytes);
  return o;
end $$;

-- Bytes behind the end of an object of a bucket that never had versions.
create or replace function append_object(
  b bigint, settings bigint, epoch bigint, first_ms bigint, k bytea, clock bytea,
  versioning smallint, at bigint, expected_etag text, added bigint, new_etag text, owner text,
  algorithm smallint, type smallint, new_checksum bytea, new_headers bytea, new_layout smallint,
  new_stream bytea, new_stream_size bigint, c conditions, a attributes)
returns outcome language plpgsql as $$
declare
  h objects;
  n objects;
  o outcome := refusal(:CommitStatus.kCommitted);
  g ground := check_context(b, settings, epoch, first_ms);
  context smallint;
begin
  if g.status <> :CommitStatus.kCommitted then
    return refusal(g.status);
  end if;
  if versioning <> :Versioning.kNever then
    return refusal(:CommitStatus.kWrongState);
  end if;
  select * into h from objects where bucket_id = b and key = k for update;
  if h.version is null and at <> 0 then
    return refusal(:CommitStatus.kOffsetMismatch);
  end if;
  context := check_head(c, h);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  if h.version is null then
    n := blank_version();
    n.bucket_id := b;
    n.key := k;
    n.version := clock;
    n.size := added;
    n.etag := new_etag;
    n.owner_account := owner;
    n.checksum_algorithm := algorithm;
    n.checksum_type := type;
    n.checksum := new_checksum;
    n.headers := new_headers;
    n.extent_count := (new_stream is not null)::integer;
    n.layout := new_layout;
    n.stream := new_stream;
    n.stream_size := new_stream_size;
    n.stream_offset := 0;
    n.attributes := a;
    o := append_first(n);
    if g.recorded then
      perform record_change(b, k, o.version, :Change.kAppend::smallint);
    end if;
    return o;
  end if;
  -- The new bytes were encrypted for what was there, and under another envelope nobody could read
  -- them. An ETag does not tell: it is the same for the same bytes under another key.
  if h.size <> at or h.etag <> expected_etag or h.extent_count >= :Limit.kExtentsMax
      or (h.attributes).encryption is distinct from (a).encryption then
    return refusal(:CommitStatus.kOffsetMismatch);
  end if;

  if new_stream is not null and h.extent_count = 0 then
    h.extent_count := 1;
    h.layout := new_layout;
    h.stream := new_stream;
    h.stream_size := new_stream_size;
    h.stream_offset := 0;
  elsif new_stream is not null then
    -- A manifest is named by the clock of the commit that makes it, which no other commit has. The
    -- version may be above that clock, and need not be the only one of its value among all keys.
    h.manifest := coalesce(h.manifest, clock);
    if h.extent_count = 1 then
      insert into object_extents (manifest, start, stream, stream_size, stream_offset, length,
          layout)
        values (h.manifest, 0, h.stream, h.stream_size, h.stream_offset, h.size, h.layout);
    end if;
    insert into object_extents (manifest, start, stream, stream_size, stream_offset, length, layout)
      values (h.manifest, h.size, new_stream, new_stream_size, 0, added, new_layout);
    h.extent_count := h.extent_count + 1;
    h.layout := :Layout.kReplicated;
    h.stream := null;
    h.stream_size := null;
    h.stream_offset := null;
  end if;
  h.version := next_version(h.version, clock);
  h.size := h.size + added;
  h.etag := new_etag;
  h.checksum_algorithm := algorithm;
  h.checksum_type := type;
  h.checksum := new_checksum;
  perform set_head(h);
  if g.recorded then
    perform record_change(b, k, h.version, :Change.kAppend::smallint);
  end if;
  o.version := h.version;
  o.is_null := true;
  o.size := h.size;
  o.etag := new_etag;
  perform count_usage(b, 0, 0, added);
  return o;
end $$;
