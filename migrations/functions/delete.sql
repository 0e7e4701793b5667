-- DELETE.

-- Removes one named version; the newest of the others becomes the head.
create or replace function delete_version(
  b bigint, k bytea, v bytea, null_version boolean, c conditions, bypass boolean, lock_ms bigint)
returns outcome language plpgsql as $$
declare
  h objects;
  w objects;
  o outcome := refusal(:CommitStatus.kCommitted);
begin
  select * into h from objects where bucket_id = b and key = k for update;
  if not found then
    return o;
  end if;
  if (null_version and h.is_null) or (not null_version and h.version = v) then
    if not (c is null) then
      o.status := check_conditions(c, true, h.etag, h.size, version_ms(h.version));
      if o.status <> :CommitStatus.kCommitted then
        return o;
      end if;
    end if;
    if is_protected(h, bypass, lock_ms) then
      return refusal(:CommitStatus.kObjectLocked);
    end if;
    o.version := h.version;
    o.is_null := h.is_null;
    o.delete_marker := h.delete_marker;
    o.d_objects := case when h.delete_marker then 0 else -1 end;
    o.d_versions := -1;
    o.d_bytes := -h.size;
    perform release_version(h);
    -- The row that is handed out, not one that was read before: a copy may have shared its stream
    -- meanwhile.
    delete from versions where bucket_id = b and key = k
      and version = (select v2.version from versions v2 where v2.bucket_id = b and v2.key = k
                     order by v2.version desc limit 1)
      returning * into w;
    if found then
      -- In place: whoever waits for the head's row goes on waiting for this one.
      w.lone_marker := case when w.delete_marker then no_history(b, k) end;
      perform set_head(w);
      o.d_objects := o.d_objects + case when w.delete_marker then 0 else 1 end;
    else
      delete from objects where bucket_id = b and key = k;
    end if;
    return o;
  end if;

  if null_version then
    select * into w from versions where bucket_id = b and key = k and is_null for update;
  else
    select * into w from versions where bucket_id = b and key = k and version = v for update;
  end if;
  if not found then
    return o;
  end if;
  if not (c is null) then
    o.status := check_conditions(c, true, w.etag, w.size, version_ms(w.version));
    if o.status <> :CommitStatus.kCommitted then
      return o;
    end if;
  end if;
  if is_protected(w, bypass, lock_ms) then
    return refusal(:CommitStatus.kObjectLocked);
  end if;
  delete from versions where bucket_id = b and key = k and version = w.version returning * into w;
  if h.delete_marker and no_history(b, k) then
    update objects set lone_marker = true where bucket_id = b and key = k;
  end if;
  perform release_version(w);
  o.version := w.version;
  o.is_null := w.is_null;
  o.delete_marker := w.delete_marker;
  o.d_versions := -1;
  o.d_bytes := -w.size;
  return o;
end $$;

-- Removes the current version, or in a bucket that has versions hides it behind a marker.
-- Conditions are about what is there, a delete marker included (it has no ETag and no bytes); where
-- nothing is, they refuse nothing and nothing is made.
create or replace function delete_current(
  b bigint, k bytea, clock bytea, versioning smallint, owner text, c conditions)
returns outcome language plpgsql as $$
declare
  o outcome := refusal(:CommitStatus.kCommitted);
  h objects;
  n objects;
begin
  if not (c is null) or versioning = :Versioning.kNever then
    select * into h from objects where bucket_id = b and key = k for update;
    if not found then
      return o;
    end if;
    if not (c is null) then
      o.status := check_conditions(c, true, h.etag, h.size, version_ms(h.version));
      if o.status <> :CommitStatus.kCommitted then
        return o;
      end if;
    end if;
  end if;
  if versioning <> :Versioning.kNever then
    n := blank_version();
    n.bucket_id := b;
    n.key := k;
    n.version := clock;
    n.owner_account := owner;
    n.delete_marker := true;
    return place_version(n, versioning, null);
  end if;
  delete from objects where bucket_id = b and key = k;
  perform release_version(h);
  o.version := h.version;
  o.is_null := true;
  o.d_objects := -1;
  o.d_versions := -1;
  o.d_bytes := -h.size;
  return o;
end $$;

-- A batch of DELETEs, sorted by (bucket, key). Modes: a VersionChoice; guards: DeleteObject::Guard.
create or replace function delete_objects(
  bucket_ids bigint[], settings bigint[], keys bytea[], clocks bytea[], versionings smallint[],
  modes smallint[], named bytea[], owners text[], if_match bytea[], if_none_match bytea[],
  if_sizes bigint[], if_times bigint[], if_unmodified bigint[], bypasses boolean[],
  guards smallint[], lock_times bigint[])
returns setof outcome language plpgsql as $$
declare
  o outcome;
  c conditions;
  context smallint;
  last_bucket bigint;
  last_settings bigint;
  d_objects bigint := 0;
  d_versions bigint := 0;
  d_bytes bigint := 0;
begin
  for i in 1..cardinality(keys) loop
    if last_bucket is distinct from bucket_ids[i] or last_settings is distinct from settings[i] then
      if last_bucket <> bucket_ids[i] then
        perform count_usage(last_bucket, d_objects, d_versions, d_bytes);
        d_objects := 0;
        d_versions := 0;
        d_bytes := 0;
      end if;
      context := check_context(bucket_ids[i], settings[i], 0);
      last_bucket := bucket_ids[i];
      last_settings := settings[i];
    end if;
    if context <> :CommitStatus.kCommitted then
      return next refusal(context);
      continue;
    end if;
    c := null;
    if if_match[i] is not null or if_none_match[i] is not null or if_sizes[i] is not null
        or if_times[i] is not null or if_unmodified[i] is not null then
      c.if_match := if_match[i];
      c.if_none_match := if_none_match[i];
      c.if_unmodified_since := if_unmodified[i];
      c.if_size := if_sizes[i];
      c.if_modified_at := if_times[i];
    end if;
    if guards[i] <> :Guard.kNone then
      perform 1 from objects where bucket_id = bucket_ids[i] and key = keys[i]
        and case guards[i] when :Guard.kCurrent then version = named[i] and not delete_marker
                           when :Guard.kNoncurrent then version <> named[i]
                           else version = named[i] and lone_marker end for update;
      if not found then
        return next refusal(:CommitStatus.kPreconditionFailed);
        continue;
      end if;
    end if;
    if modes[i] <> :VersionChoice.kCurrent then
      o := delete_version(bucket_ids[i], keys[i], named[i], modes[i] = :VersionChoice.kNull, c,
                          bypasses[i], lock_times[i]);
    else
      o := delete_current(bucket_ids[i], keys[i], clocks[i], versionings[i], owners[i], c);
    end if;
    d_objects := d_objects + o.d_objects;
    d_versions := d_versions + o.d_versions;
    d_bytes := d_bytes + o.d_bytes;
    return next o;
  end loop;
  if d_objects <> 0 or d_versions <> 0 or d_bytes <> 0 then
    perform count_usage(last_bucket, d_objects, d_versions, d_bytes);
  end if;
end $$;
