-- Complete: the parts of an upload become a version.

-- The recorded answer of an upload that was completed before, or kNoSuchUpload.
create or replace function completed_outcome(u bytea, b bigint, k bytea) returns outcome
language plpgsql as $$
declare
  d completed_uploads;
  o outcome;
begin
  select * into d from completed_uploads where upload = u and bucket_id = b and key = k;
  if not found then
    return refusal(:CommitStatus.kNoSuchUpload);
  end if;
  o := refusal(:CommitStatus.kUploadCompleted);
  o.version := d.version;
  o.is_null := d.is_null;
  o.size := d.size;
  o.etag := d.etag;
  o.checksum_algorithm := d.checksum_algorithm;
  o.checksum_type := d.checksum_type;
  o.checksum := d.checksum;
  return o;
end $$;

-- Whether the upload has the named parts, and they make an object of `size` bytes.
create or replace function check_parts(u bytea, numbers integer[], etags bytea[], size bigint)
returns outcome language plpgsql as $$
declare
  p upload_parts;
  at bigint := 0;
begin
  for i in 2..cardinality(numbers) loop
    if numbers[i] <= numbers[i - 1] then
      return refusal(:CommitStatus.kInvalidPartOrder);
    end if;
  end loop;
  for i in 1..cardinality(numbers) loop
    select * into p from upload_parts where upload = u and number = numbers[i];
    if not found or convert_to(p.etag, 'UTF8') <> etags[i] then
      return refusal(:CommitStatus.kInvalidPart, numbers[i]::text);
    end if;
    if i < cardinality(numbers) and p.size < :Limit.kPartBytesMin then
      return refusal(:CommitStatus.kEntityTooSmall, numbers[i]::text);
    end if;
    at := at + p.size;
  end loop;
  return refusal(case when at = size then :CommitStatus.kCommitted
                      else :CommitStatus.kInvalidPart end);
end $$;

-- Parts and extents of the upload become those of a manifest, what was not named is released, and
-- the upload goes. How many extents there are.
create or replace function take_parts(u bytea, numbers integer[], to_manifest bytea) returns integer
language plpgsql as $$
declare
  p upload_parts;
  e upload_extents;
  at bigint := 0;
  extents integer := 0;
begin
  for p in
    select * from upload_parts where upload = u and number = any (numbers) order by number
  loop
    insert into object_parts (manifest, number, start, size, etag, checksum_algorithm, checksum)
      values (to_manifest, p.number, at, p.size, p.etag, p.checksum_algorithm, p.checksum);
    for e in
      select * from upload_extents where upload = u and number = p.number order by start
    loop
      insert into object_extents (manifest, start, stream, stream_size, stream_offset, length,
          layout)
        values (to_manifest, at + e.start, e.stream, e.stream_size, e.stream_offset, e.length,
          e.layout);
      extents := extents + 1;
    end loop;
    at := at + p.size;
  end loop;
  for e in
    select * from upload_extents where upload = u and number <> all (numbers) order by stream
  loop
    perform release_stream(e.stream, e.stream_size, true);
  end loop;
  delete from uploads where id = u;
  return extents;
end $$;

-- A version whose upload was begun without a retention gets the default one.
create or replace function complete_upload(
  b bigint, settings bigint, u bytea, k bytea, clock bytea, versioning smallint, numbers integer[],
  etags bytea[], new_etag text, algorithm smallint, type smallint, new_checksum bytea,
  new_size bigint, c conditions, default_mode smallint, default_until bigint)
returns outcome language plpgsql as $$
declare
  up uploads;
  n objects;
  o outcome;
  g ground := check_context(b, settings, 0);
  context smallint;
begin
  if g.status <> :CommitStatus.kCommitted then
    return refusal(g.status);
  end if;
  select * into up from uploads where id = u and bucket_id = b and key = k for update;
  if not found then
    return completed_outcome(u, b, k);
  end if;
  o := check_parts(u, numbers, etags, new_size);
  if o.status <> :CommitStatus.kCommitted then
    return o;
  end if;
  -- The head's lock comes before those of the streams that parts give up.
  select * into n from objects where bucket_id = b and key = k for update;
  context := check_head(c, n);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;

  if exists (select from upload_extents where upload = u and number <> all (numbers)) then
    -- The counts of all that goes, in one order: of parts that are not named, and of what is
    -- replaced.
    perform 1 from shared_streams where stream in (
        select stream from upload_extents where upload = u and number <> all (numbers)
        union select stream from object_extents where manifest = n.manifest
        union select n.stream)
      order by stream for update;
  end if;

  n := blank_version();
  n.bucket_id := b;
  n.key := k;
  n.version := clock;
  n.shared := true;
  n.size := new_size;
  n.etag := new_etag;
  n.owner_account := up.owner_account;
  n.checksum_algorithm := algorithm;
  n.checksum_type := type;
  n.checksum := new_checksum;
  n.headers := up.headers;
  n.part_count := cardinality(numbers);
  n.extent_count := take_parts(u, numbers, clock);
  n.manifest := clock;
  n.attributes := up.attributes;
  if (up.attributes).retain_mode is null and default_mode is not null then
    n.attributes.retain_mode := default_mode;
    n.attributes.retain_until := default_until;
  end if;
  if n.extent_count = 1 then
    delete from object_extents where manifest = clock
      returning stream, stream_size, stream_offset, layout
      into n.stream, n.stream_size, n.stream_offset, n.layout;
  end if;
  o := place_version(n, versioning, c);
  if o.status <> :CommitStatus.kCommitted then
    raise exception 'conditions changed under the lock' using errcode = '40001';
  end if;
  insert into completed_uploads (upload, bucket_id, key, version, is_null, size, etag,
      checksum_algorithm, checksum_type, checksum, completed_at)
    values (u, b, k, o.version, o.is_null, new_size, new_etag, algorithm, type, new_checksum,
      greatest(now(), to_timestamp(version_ms(clock) / 1000.0)));
  if g.recorded then
    perform record_change(b, k, o.version, :Change.kComplete::smallint);
  end if;
  perform count_usage(b, o.d_objects, o.d_versions, o.d_bytes);
  o.checksum_algorithm := algorithm;
  o.checksum_type := type;
  o.checksum := new_checksum;
  return o;
end $$;
