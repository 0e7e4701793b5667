-- Rename and changes of a version in place.

-- Rules go by age: a key that moved, or a change of tags or locks, lets them look again.
create or replace function recheck_lifecycle(b bigint, k bytea) returns void language plpgsql as $$
begin
  if exists (select 1 from bucket_settings
             where bucket_id = b and kind = :SettingKind.kLifecycle) then
    insert into lifecycle_rechecks (bucket_id, key, due_ms) values (b, k, 0)
      on conflict (bucket_id, key) do update set due_ms = 0;
  end if;
end $$;

-- `sealed`: the envelope for the target's key, made from the source's, `sealed_for`. kEncrypted: the
-- source has an envelope, and none was given that was made from it: another key may have been given
-- to it meanwhile. `access`: what the source said of who may have it when that decided; NULL: it did
-- not.
create or replace function rename_object(
  b bigint, settings bigint, source bytea, target bytea, clock bytea, cs conditions, ct conditions,
  sealed_for bytea, sealed bytea, access bytea)
returns outcome language plpgsql as $$
declare
  s objects;
  t objects;
  o outcome := refusal(:CommitStatus.kCommitted);
  g ground := check_context(b, settings, 0);
  context smallint;
  target_exists boolean;
begin
  if g.status <> :CommitStatus.kCommitted then
    return refusal(g.status);
  end if;
  if (select versioning from buckets where id = b) <> :Versioning.kNever then
    return refusal(:CommitStatus.kWrongState);
  end if;
  perform lock_pair(b, source, b, target);
  select * into s from objects where bucket_id = b and key = source for update;
  if not found then
    return refusal(:CommitStatus.kNoSuchKey);
  end if;
  context := check_head(cs, s);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  if access_of(s) <> access then
    return refusal(:CommitStatus.kAccessChanged);
  end if;
  select * into t from objects where bucket_id = b and key = target for update;
  target_exists := found;
  context := check_head(ct, t);
  if context <> :CommitStatus.kCommitted then
    return refusal(context);
  end if;
  o.version := s.version;
  o.is_null := true;
  o.size := s.size;
  o.etag := s.etag;
  if source = target then
    return o;
  end if;
  if (s.attributes).encryption is not null then
    if sealed is null or (s.attributes).encryption is distinct from sealed_for then
      return refusal(:CommitStatus.kEncrypted);
    end if;
    s.attributes.encryption := sealed;
  end if;
  if target_exists then
    perform release_version(t);
    delete from objects where bucket_id = b and key = target;
  end if;
  begin
    update objects set key = target, attributes = s.attributes
      where bucket_id = b and key = source;
  exception when unique_violation then
    raise exception 'the target came meanwhile' using errcode = '40001';
  end;
  if target_exists then
    perform count_usage(b, -1, -1, -t.size);
  end if;
  if g.recorded then
    perform record_change(b, target, s.version, :Change.kRename::smallint, source);
  end if;
  perform recheck_lifecycle(b, target);
  return o;
end $$;

-- Attributes of one version, head or history: those of the names in `changed` become what `a` has.
-- `choice`: a VersionChoice. `access`: what the version said of who may have it when that decided;
-- NULL: it did not.
create or replace function update_version(
  b bigint, settings bigint, k bytea, choice smallint, v bytea, expected_etag text, changed text[],
  bypass boolean, a attributes, lock_ms bigint, access bytea)
returns outcome language plpgsql as $$
declare
  h objects;
  o outcome := refusal(:CommitStatus.kCommitted);
  in_history boolean := false;
  g ground := check_context(b, settings, 0);
begin
  if g.status <> :CommitStatus.kCommitted then
    return refusal(g.status);
  end if;
  -- The head's row orders all changes of a key's versions.
  select * into h from objects where bucket_id = b and key = k for update;
  if not found then
    return refusal(:CommitStatus.kNoSuchKey);
  end if;
  if choice <> :VersionChoice.kCurrent
      and not (case when choice = :VersionChoice.kNull then h.is_null else h.version = v end) then
    select * into h from versions where bucket_id = b and key = k
      and case when choice = :VersionChoice.kNull then is_null else version = v end for update;
    if not found then
      return refusal(:CommitStatus.kNoSuchKey);
    end if;
    in_history := true;
  end if;
  o.version := h.version;
  o.is_null := h.is_null;
  o.size := h.size;
  o.etag := h.etag;
  o.delete_marker := h.delete_marker;
  if h.delete_marker then
    o.status := :CommitStatus.kNoSuchKey;
  elsif h.etag <> expected_etag then
    o.status := :CommitStatus.kPreconditionFailed;
  elsif access_of(h) <> access then
    o.status := :CommitStatus.kAccessChanged;
  elsif 'retain_until' = any (changed) then
    o.status := check_retention(h.attributes, a, bypass, lock_ms);
  end if;
  if o.status <> :CommitStatus.kCommitted then
    return o;
  end if;
  h.attributes := change_attributes(h.attributes, a, changed);
  if in_history then
    update versions set attributes = h.attributes
      where bucket_id = b and key = k and version = h.version;
  else
    update objects set attributes = h.attributes where bucket_id = b and key = k;
  end if;
  if g.recorded then
    perform record_change(b, k, h.version, :Change.kUpdate::smallint);
  end if;
  if changed && array['tags', 'retain_until', 'legal_hold'] then
    perform recheck_lifecycle(b, k);
  end if;
  return o;
end $$;
