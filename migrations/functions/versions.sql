-- The rows of a key: which version is current, and what it replaced.

-- A version with nothing in it, for those who fill it.
create or replace function blank_version() returns objects language plpgsql immutable as $$
declare
  n objects;
begin
  n.is_null := true;
  n.delete_marker := false;
  n.shared := false;
  n.size := 0;
  n.etag := '';
  n.part_count := 0;
  n.extent_count := 0;
  n.layout := :Layout.kReplicated;
  return n;
end $$;

-- The outcome of a version that was placed.
create or replace function placed_outcome(
  n objects, d_objects bigint, d_versions bigint, d_bytes bigint)
returns outcome language plpgsql immutable as $$
declare
  o outcome := refusal(:CommitStatus.kCommitted);
begin
  o.version := n.version;
  o.is_null := n.is_null;
  o.size := n.size;
  o.etag := n.etag;
  o.delete_marker := n.delete_marker;
  o.d_objects := d_objects;
  o.d_versions := d_versions;
  o.d_bytes := d_bytes;
  return o;
end $$;

-- true or NULL, as lone_marker is stored.
create or replace function no_history(b bigint, k bytea) returns boolean language plpgsql as $$
begin
  perform 1 from versions where bucket_id = b and key = k limit 1;
  return case when found then null else true end;
end $$;

-- Whether the key has a row that is committed, whoever holds it.
create or replace function key_exists(b bigint, k bytea) returns boolean language plpgsql as $$
begin
  perform 1 from objects where bucket_id = b and key = k limit 1;
  return found;
end $$;

-- The row of the current version becomes n.
create or replace function set_head(n objects) returns void language plpgsql as $$
begin
  n.replaced_ms := null;
  update objects set :changes(objects, n) where bucket_id = n.bucket_id and key = n.key;
end $$;

-- Makes n the current version of its key: the one place where a version replaces another.
-- n.version is the caller's clock. Where it does not wait (`waits`) and somebody holds the key, it
-- changes nothing and answers Held.kKey. For a key that somebody is inserting it waits as long as
-- the session waits for locks, and where it is not `careful` fails then.
create or replace function place_version(
  n objects, versioning smallint, c conditions, waits boolean default true,
  careful boolean default true)
returns outcome language plpgsql as $$
declare
  h objects;
  v objects;
  refused smallint;
  made boolean;
  d_objects bigint := case when n.delete_marker then 0 else 1 end;
  d_versions bigint := 1;
  d_bytes bigint := n.size;
begin
  n.is_null := versioning <> :Versioning.kEnabled;
  loop
    if waits then
      select * into h from objects where bucket_id = n.bucket_id and key = n.key for update;
    else
      select * into h from objects where bucket_id = n.bucket_id and key = n.key
        for update skip locked;
    end if;
    if found then
      exit;
    end if;
    if not waits then
      -- Is it there all the same?
      perform 1 from objects where bucket_id = n.bucket_id and key = n.key limit 1;
      if found then
        return refusal(:Held.kKey);
      end if;
    end if;
    if not (c is null) then
      refused := check_conditions(c, false, null, 0, 0);
      if refused <> :CommitStatus.kCommitted then
        return refusal(refused);
      end if;
    end if;
    if n.delete_marker then
      n.lone_marker := true;
    end if;
    if waits or not careful then
      insert into objects (:columns(objects)) values (n.*) on conflict do nothing;
      made := found;
    else
      begin
        insert into objects (:columns(objects)) values (n.*) on conflict do nothing;
        made := found;
      exception when lock_not_available then
        return refusal(:Held.kKey);
      end;
    end if;
    if made then
      return placed_outcome(n, d_objects, d_versions, d_bytes);
    end if;
  end loop;
  if not (c is null) then
    refused := check_conditions(c, not h.delete_marker, h.etag, h.size, version_ms(h.version));
    if refused <> :CommitStatus.kCommitted then
      return refusal(refused);
    end if;
  end if;

  -- What goes with this one: its streams, or those of the null version behind it.
  if not waits then
    if versioning = :Versioning.kSuspended and not h.is_null then
      select * into v from versions where bucket_id = n.bucket_id and key = n.key and is_null;
    elsif versioning <> :Versioning.kEnabled then
      v := h;
    end if;
    if (v.shared or v.extent_count > 1) and not counts_are_free(v) then
      return refusal(:Held.kKey);
    end if;
  end if;

  n.version := next_version(h.version, n.version);
  n.lone_marker := null;
  d_objects := d_objects - (case when h.delete_marker then 0 else 1 end);
  if versioning = :Versioning.kEnabled
      or (versioning = :Versioning.kSuspended and not h.is_null) then
    h.lone_marker := null;
    h.replaced_ms := version_ms(n.version);
    insert into versions (:columns(versions)) values (h.*);
    -- A null version of an older commit gives way to the new one.
    if versioning = :Versioning.kSuspended then
      delete from versions where bucket_id = n.bucket_id and key = n.key and is_null
        returning * into v;
      if found then
        perform release_version(v);
        d_versions := d_versions - 1;
        d_bytes := d_bytes - v.size;
      end if;
    end if;
  else
    perform release_version(h);
    d_versions := 0;
    d_bytes := n.size - h.size;
    if n.delete_marker then
      n.lone_marker := no_history(n.bucket_id, n.key);
    end if;
  end if;
  perform set_head(n);
  return placed_outcome(n, d_objects, d_versions, d_bytes);
end $$;

-- Locks two keys in the global order. A key without a row has nothing to lock, and its row may come
-- before the caller gets to it: whoever holds that one may wait for the other key. So those who
-- take two keys take turns by key first; who takes one key waits for nobody while holding it.
create or replace function lock_pair(b1 bigint, k1 bytea, b2 bigint, k2 bytea) returns void
language plpgsql as $$
declare
  first constant bigint := hashtextextended(encode(k1, 'hex'), b1);
  second constant bigint := hashtextextended(encode(k2, 'hex'), b2);
begin
  if (b1, k1) <> (b2, k2) then
    perform pg_advisory_xact_lock(least(first, second));
    perform pg_advisory_xact_lock(greatest(first, second));
  end if;
  if (b1, k1) < (b2, k2) then
    perform 1 from objects where bucket_id = b1 and key = k1 for update;
    perform 1 from objects where bucket_id = b2 and key = k2 for update;
  else
    perform 1 from objects where bucket_id = b2 and key = k2 for update;
    perform 1 from objects where bucket_id = b1 and key = k1 for update;
  end if;
end $$;

-- The named version of a key, head or history, locked: what may refer to its streams again. Callers
-- hold the head's row, so that no version moves between the two looks.
create or replace function find_source(b bigint, k bytea, v bytea) returns objects
language plpgsql as $$
declare
  h objects;
begin
  select * into h from objects where bucket_id = b and key = k and version = v for update;
  if not found then
    select * into h from versions where bucket_id = b and key = k and version = v for update;
  end if;
  return h;
end $$;

-- Whether the locked version is still the one that was read, and says of who may have it what it
-- said then.
create or replace function check_source(s objects, source copy_source) returns smallint
language plpgsql immutable as $$
begin
  if s.version is null or s.delete_marker or s.etag <> source.etag then
    return :CommitStatus.kSourceChanged;
  end if;
  if access_of(s) <> source.access then
    return :CommitStatus.kAccessChanged;
  end if;
  return :CommitStatus.kCommitted;
end $$;
