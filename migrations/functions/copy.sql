-- COPY.

-- A new version over the extents of another: no bytes move.
create or replace function copy_object(
  b bigint, settings bigint, k bytea, clock bytea, versioning smallint, owner text, new_etag text,
  algorithm smallint, type smallint, new_checksum bytea, new_headers bytea,
  source copy_source, c conditions, a attributes)
returns outcome language plpgsql as $$
declare
  s objects;
  n objects;
  o outcome;
  e object_extents;
  g ground := check_contexts(b, settings, source);
  context smallint;
begin
  if g.status <> :CommitStatus.kCommitted then
    return refusal(g.status);
  end if;
  perform lock_pair(b, k, source.bucket_id, source.key);
  s := find_source(source.bucket_id, source.key, source.version);
  context := check_source(s, source);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  select * into n from objects where bucket_id = b and key = k for update;
  -- Conditions first: a refused copy must not count references.
  context := check_head(c, n);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  if versioning = :Versioning.kSuspended and not n.is_null then
    -- What goes is the null version behind it.
    select * into n from versions where bucket_id = b and key = k and is_null for update;
  end if;
  if n.extent_count > 0 then
    perform lock_counts(s, n);
  end if;
  n := s;
  n.bucket_id := b;
  n.key := k;
  n.version := clock;
  n.owner_account := owner;
  n.etag := coalesce(new_etag, s.etag);
  n.checksum_algorithm := algorithm;
  n.checksum_type := type;
  n.checksum := new_checksum;
  n.headers := new_headers;
  n.part_count := case when new_etag is null then s.part_count else 0 end;
  n.manifest := case when s.extent_count > 1 or n.part_count > 0 then clock end;
  n.shared := s.extent_count > 0;
  n.attributes := a;
  n.replaced_ms := null;
  if s.extent_count = 1 then
    perform add_reference(s.stream);
    perform mark_shared(s);
  elsif s.extent_count > 1 then
    for e in select * from object_extents where manifest = s.manifest order by stream loop
      perform add_reference(e.stream);
    end loop;
    insert into object_extents (manifest, start, stream, stream_size, stream_offset, length, layout)
      select n.manifest, start, stream, stream_size, stream_offset, length, layout
      from object_extents where manifest = s.manifest;
  end if;
  if n.part_count > 0 then
    insert into object_parts (manifest, number, start, size, etag, checksum_algorithm, checksum)
      select n.manifest, number, start, size, etag, checksum_algorithm, checksum
      from object_parts where manifest = s.manifest;
  end if;
  o := place_version(n, versioning, c);
  if o.status <> :CommitStatus.kCommitted then
    -- The target came since: what was counted above must not stay. It runs again and is refused
    -- before that.
    raise exception 'conditions changed' using errcode = '40001';
  end if;
  if g.recorded then
    perform record_change(b, k, o.version, :Change.kCopy::smallint);
  end if;
  perform count_usage(b, o.d_objects, o.d_versions, o.d_bytes);
  return o;
end $$;

-- A PUT of bytes that were read from a version and written anew, under another key: one row. What
-- reading them was decided under holds until it commits.
create or replace function put_copied(
  source copy_source, rows put_row[], attribute_sets attributes[] default null)
returns setof outcome language plpgsql as $$
declare
  r constant put_row := rows[1];
  status smallint := (check_contexts(r.bucket_id, r.settings, source)).status;
begin
  if status = :CommitStatus.kCommitted then
    perform lock_pair(r.bucket_id, r.key, source.bucket_id, source.key);
    status := check_source(find_source(source.bucket_id, source.key, source.version), source);
  end if;
  if status <> :CommitStatus.kCommitted then
    return next refusal(status);
    return;
  end if;
  return query select * from put_objects(rows, attribute_sets);
end $$;
