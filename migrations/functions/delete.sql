-- DELETE.

-- Removes one named version; the newest of the others becomes the head. `waits`: as of
-- place_version.
create or replace function delete_version(
  b bigint, k bytea, v bytea, null_version boolean, c conditions, bypass boolean, lock_ms bigint,
  waits boolean default true)
returns outcome language plpgsql as $$
declare
  h objects;
  w objects;
  o outcome := refusal(:CommitStatus.kCommitted);
begin
  if waits then
    select * into h from objects where bucket_id = b and key = k for update;
  else
    select * into h from objects where bucket_id = b and key = k for update skip locked;
  end if;
  if h.version is null then
    return case when waits or not key_exists(b, k) then o else refusal(:Held.kKey) end;
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
    if not waits and (h.shared or h.extent_count > 1) and not counts_are_free(h) then
      return refusal(:Held.kKey);
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
  if not waits and (w.shared or w.extent_count > 1) and not counts_are_free(w) then
    return refusal(:Held.kKey);
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
  b bigint, k bytea, clock bytea, versioning smallint, owner text, c conditions,
  waits boolean default true, careful boolean default true)
returns outcome language plpgsql as $$
declare
  o outcome := refusal(:CommitStatus.kCommitted);
  h objects;
  n objects;
begin
  if not (c is null) or versioning = :Versioning.kNever then
    if waits then
      select * into h from objects where bucket_id = b and key = k for update;
    else
      select * into h from objects where bucket_id = b and key = k for update skip locked;
    end if;
    if not found then
      return case when waits or not key_exists(b, k) then o else refusal(:Held.kKey) end;
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
    return place_version(n, versioning, null, waits, careful);
  end if;
  if not waits and (h.shared or h.extent_count > 1) and not counts_are_free(h) then
    return refusal(:Held.kKey);
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

-- Whether what a request asks of the current version, beside its conditions, is so; its row is
-- locked then. NULL: somebody holds it, which is asked when it is not waited for.
create or replace function guard_holds(r delete_row, waits boolean default true) returns boolean
language plpgsql as $$
declare
  h objects;
begin
  if waits then
    select * into h from objects where bucket_id = r.bucket_id and key = r.key for update;
  else
    select * into h from objects where bucket_id = r.bucket_id and key = r.key
      for update skip locked;
  end if;
  if h.version is null then
    return case when waits or not key_exists(r.bucket_id, r.key) then false end;
  end if;
  return case r.guard when :Guard.kCurrent then h.version = r.named and not h.delete_marker
                      when :Guard.kNoncurrent then h.version <> r.named
                      else h.version = r.named and coalesce(h.lone_marker, false) end;
end $$;

-- A batch of DELETEs, sorted by (bucket, key). `waits` and `careful`: as of put_objects.
create or replace function delete_objects(
  rows delete_row[], waits boolean default true, careful boolean default true)
returns setof outcome language plpgsql as $$
declare
  r delete_row;
  o outcome;
  c conditions;
  g ground;
  last_bucket bigint;
  last_settings bigint;
  d_objects bigint := 0;
  d_versions bigint := 0;
  d_bytes bigint := 0;
  holds boolean;
  held bigint[];
begin
  if not waits then
    perform set_config('lock_timeout', '5ms', true);
    held := held_buckets(
      case when rows[1].bucket_id = rows[cardinality(rows)].bucket_id then array[rows[1].bucket_id]
           else array(select distinct bucket_id from unnest(rows)) end);
  end if;
  foreach r in array rows loop
    if last_bucket is distinct from r.bucket_id or last_settings is distinct from r.settings then
      if last_bucket <> r.bucket_id then
        -- Not for nothing: a bucket that is gone has no usage, and its rows would fail all others.
        if d_objects <> 0 or d_versions <> 0 or d_bytes <> 0 then
          perform count_usage(last_bucket, d_objects, d_versions, d_bytes, careful);
        end if;
        d_objects := 0;
        d_versions := 0;
        d_bytes := 0;
      end if;
      if r.bucket_id = any (held) then
        g.status := :Held.kBucket;
      else
        g := check_context(r.bucket_id, r.settings, 0);
      end if;
      last_bucket := r.bucket_id;
      last_settings := r.settings;
    end if;
    if g.status <> :CommitStatus.kCommitted then
      return next refusal(g.status);
      continue;
    end if;
    if r.guard <> :Guard.kNone then
      holds := guard_holds(r, waits);
      if holds is not true then
        return next case when holds is null then refusal(:Held.kKey)
                         else refusal(:CommitStatus.kPreconditionFailed) end;
        continue;
      end if;
    end if;
    c.if_match := r.if_match;
    c.if_none_match := r.if_none_match;
    c.if_unmodified_since := r.if_unmodified_since;
    c.if_size := r.if_size;
    c.if_modified_at := r.if_modified_at;
    if r.choice <> :VersionChoice.kCurrent then
      o := delete_version(r.bucket_id, r.key, r.named, r.choice = :VersionChoice.kNull, c, r.bypass,
                          r.lock_ms, waits);
    else
      o := delete_current(r.bucket_id, r.key, r.clock, r.versioning, r.owner_account, c,
                          waits, careful);
    end if;
    -- Where nothing was, nothing changed, and there is no version.
    if g.recorded and o.status = :CommitStatus.kCommitted and o.version is not null then
      perform record_change(r.bucket_id, r.key, o.version,
        case when r.choice <> :VersionChoice.kCurrent then :Change.kDeleteVersion::smallint
             when o.delete_marker then :Change.kDeleteMarker::smallint
             else :Change.kDelete::smallint end);
    end if;
    d_objects := d_objects + o.d_objects;
    d_versions := d_versions + o.d_versions;
    d_bytes := d_bytes + o.d_bytes;
    return next o;
  end loop;
  if d_objects <> 0 or d_versions <> 0 or d_bytes <> 0 then
    perform count_usage(last_bucket, d_objects, d_versions, d_bytes, careful);
  end if;
end $$;
