-- What a commit was decided under, and whether it still holds on the locked row.

create or replace function refusal(status integer, detail text default '') returns outcome
language sql immutable as $$
  select row(status, null, false, 0, '', false, null, null, null, detail, 0, 0, 0)::outcome
$$;

-- Whether a list names this ETag. A delete marker's, which is empty, is named by none.
create or replace function names_etag(list bytea, etag text) returns boolean
language plpgsql immutable as $$
begin
  return list = '*' or (etag <> ''
    and position('\x1f'::bytea || convert_to(etag, 'UTF8') || '\x1f'
                 in '\x1f'::bytea || list || '\x1f') > 0);
end $$;

-- kCommitted: all hold; otherwise the refusal's status.
create or replace function check_conditions(
  c conditions, present boolean, head_etag text, head_size bigint, head_ms bigint)
returns smallint language plpgsql immutable as $$
begin
  if c.if_match is not null then
    if not present then
      return :CommitStatus.kNoSuchKey;
    end if;
    if not names_etag(c.if_match, head_etag) then
      return :CommitStatus.kPreconditionFailed;
    end if;
  end if;
  if c.if_none_match is not null and present and names_etag(c.if_none_match, head_etag) then
    return :CommitStatus.kPreconditionFailed;
  end if;
  if c.if_unmodified_since is not null and present
      and head_ms / 1000 > c.if_unmodified_since / 1000 then
    return :CommitStatus.kPreconditionFailed;
  end if;
  if c.if_modified_since is not null and present
      and head_ms / 1000 <= c.if_modified_since / 1000 then
    return :CommitStatus.kPreconditionFailed;
  end if;
  if (c.if_size is not null or c.if_modified_at is not null) and not present then
    return :CommitStatus.kNoSuchKey;
  end if;
  if c.if_size is not null and head_size <> c.if_size then
    return :CommitStatus.kPreconditionFailed;
  end if;
  if c.if_modified_at is not null and head_ms / 1000 <> c.if_modified_at / 1000 then
    return :CommitStatus.kPreconditionFailed;
  end if;
  return :CommitStatus.kCommitted;
end $$;

-- The same on the row of a key, which is NULL when there is none.
create or replace function check_head(c conditions, h objects) returns smallint
language plpgsql immutable as $$
begin
  if c is null then
    return :CommitStatus.kCommitted;
  end if;
  if h.version is null then
    return check_conditions(c, false, null, 0, 0);
  end if;
  return check_conditions(c, not h.delete_marker, h.etag, h.size, version_ms(h.version));
end $$;

-- Bytes that were begun before this may be taken for left behind before a row refers to them: half
-- of the orphan age is the commit's, the other half is the scan's. NULL: no gateway has said one.
create or replace function oldest_first_ms() returns bigint language plpgsql as $$
declare
  age_s bigint;
begin
  select orphan_age_s into age_s from garbage_collection;
  return case when age_s > 0 then now_ms() - age_s * 500 end;
end $$;

-- Those of the buckets that somebody changes or removes right now, or waits to. The others stay as they are
-- until the end of the transaction; one that is not there is none to wait for.
create or replace function held_buckets(ids bigint[]) returns bigint[] language plpgsql as $$
declare
  free bigint[] := array(select i from unnest(ids) i
                         where pg_try_advisory_xact_lock_shared(bucket_turn(i)));
begin
  free := array(select id from buckets where id = any (free) for key share skip locked);
  if cardinality(free) = cardinality(ids) then
    return null;
  end if;
  return array(select id from buckets where id = any (ids) and id <> all (free));
end $$;

-- kCommitted, or why a commit decided under these may not be. Settings and epoch 0: decided under
-- none. `first_ms`: of bytes that no row refers to yet; NULL: there are none.
create or replace function check_context(
  b bigint, settings bigint, epoch bigint, first_ms bigint default null)
returns ground language plpgsql as $$
declare
  g ground;
  current_settings bigint;
begin
  perform pg_advisory_xact_lock_shared(bucket_turn(b));
  select settings_version, records_changes into current_settings, g.recorded
    from buckets where id = b for key share;
  if not found then
    g.status := :CommitStatus.kNoSuchBucket;
  elsif settings <> 0 and current_settings <> settings then
    g.status := :CommitStatus.kSettingsChanged;
  elsif epoch <> 0 and epoch < (select min_epoch from ring_state) then
    g.status := :CommitStatus.kEpochFenced;
  elsif first_ms is not null and first_ms < oldest_first_ms() then
    g.status := :CommitStatus.kStreamTooOld;
  else
    g.status := :CommitStatus.kCommitted;
  end if;
  return g;
end $$;

-- What of a version decides who may have it, for who compares it with what it was.
create or replace function access_of(v objects) returns bytea language sql immutable as $$
  select convert_to(v.owner_account, 'UTF8') || '\x00'::bytea
    || coalesce((v.attributes).acl, '') || '\x00'::bytea || coalesce((v.attributes).tags, '')
$$;

-- The same of a copy, whose source was decided under the settings of its own bucket. Both buckets
-- are locked in the order of their ids.
create or replace function check_contexts(
  b bigint, settings bigint, source copy_source, epoch bigint default 0,
  first_ms bigint default null)
returns ground language plpgsql as $$
declare
  g ground;
begin
  if source.bucket_id < b then
    perform pg_advisory_xact_lock_shared(bucket_turn(source.bucket_id));
    perform 1 from buckets where id = source.bucket_id for key share;
  end if;
  g := check_context(b, settings, epoch, first_ms);
  if g.status = :CommitStatus.kCommitted and source.bucket_id <> b and source.settings <> 0
      and (check_context(source.bucket_id, source.settings, 0)).status
        <> :CommitStatus.kCommitted then
    g.status := :CommitStatus.kSettingsChanged;
  end if;
  return g;
end $$;
