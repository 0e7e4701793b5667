-- The whole model: accounts, buckets, object versions over extents of immutable streams, uploads, queues, cluster.
-- Everything that decides a commit is a function here, so that a request is one statement and one round trip.

create table cluster (
  only_row boolean primary key default true check (only_row),
  id bytea not null check (length(id) = 16),
  min_binary integer not null default 1
);
insert into cluster (id) values (uuid_send(gen_random_uuid()));

-- Accounts and keys ------------------------------------------------------------------------------------------------

create table accounts (
  id text primary key check (id ~ '^[0-9]{12}$'),
  canonical_id text not null unique,
  name text not null unique,
  display_name text not null,
  email text not null default '',
  enabled boolean not null default true,
  public_access_block smallint not null default 0,
  created_at timestamptz not null default now()
);
create unique index accounts_email on accounts (email) where email <> '';

create table access_keys (
  access_key text primary key,
  account_id text not null references accounts on delete cascade,
  sealed_secret bytea not null,
  master_key_id bytea not null,
  is_root boolean not null default false,
  enabled boolean not null default true,
  created_at timestamptz not null default now()
);
create index access_keys_account on access_keys (account_id);

-- Buckets ----------------------------------------------------------------------------------------------------------

create table buckets (
  id bigint generated always as identity primary key,
  name text collate "C" not null unique,
  owner_account text not null references accounts,
  region text not null,
  created_at timestamptz not null default now(),
  versioning smallint not null default 0,
  object_lock boolean not null default false,
  settings_version bigint not null default 1
);
create index buckets_owner on buckets (owner_account, name);

create table bucket_settings (
  bucket_id bigint not null references buckets on delete cascade,
  kind smallint not null,
  document bytea not null,
  primary key (bucket_id, kind)
);

-- Exact counters in slots, so that concurrent commits rarely meet.
create table bucket_usage (
  bucket_id bigint not null references buckets on delete cascade,
  slot smallint not null,
  objects bigint not null default 0,
  versions bigint not null default 0,
  bytes bigint not null default 0,
  primary key (bucket_id, slot)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.1);

-- Object versions --------------------------------------------------------------------------------------------------

-- One head per key. `manifest` names the rows of object_parts and object_extents; a single extent lies in the row.
create table objects (
  bucket_id bigint not null,
  key bytea not null,
  version bytea not null,
  is_null boolean not null,
  delete_marker boolean not null,
  shared boolean not null default false,
  size bigint not null,
  etag text not null,
  owner_account text not null,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  headers bytea,
  part_count integer not null default 0,
  extent_count integer not null default 0,
  manifest bytea,
  stream bytea,
  stream_size bigint,
  stream_offset bigint,
  -- Type `attributes` below; NULL for most.
  acl bytea,
  tags bytea,
  retain_mode smallint,
  retain_until bigint,
  legal_hold boolean,
  encryption bytea,
  -- A delete marker with no version left behind it.
  lone_marker boolean,
  -- In `versions`: when a newer version took its place (ms).
  replaced_ms bigint,
  primary key (bucket_id, key)
) partition by hash (bucket_id);

create table versions (like objects) partition by hash (bucket_id);
alter table versions add primary key (bucket_id, key, version);
create index versions_null on versions (bucket_id, key) where is_null;

do $$
begin
  for i in 0..15 loop
    execute format('create table objects_%s partition of objects for values with (modulus 16, remainder %s)
      with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.5)', i, i);
    execute format('create table versions_%s partition of versions for values with (modulus 16, remainder %s)', i, i);
  end loop;
end $$;
create index objects_listed on objects (bucket_id, key) where not delete_marker;
-- What lifecycle rules look at, by age: version ids begin with their time.
create index objects_aged on objects (bucket_id, version) where not delete_marker;
create index objects_lone on objects (bucket_id, version) where lone_marker;
create index versions_replaced on versions (bucket_id, replaced_ms, version);

create table object_extents (
  manifest bytea not null,
  start bigint not null,
  stream bytea not null,
  stream_size bigint not null,
  stream_offset bigint not null,
  length bigint not null,
  primary key (manifest, start)
);

create table object_parts (
  manifest bytea not null,
  number integer not null,
  start bigint not null,
  size bigint not null,
  etag text not null,
  checksum_algorithm smallint,
  checksum bytea,
  primary key (manifest, number)
);

-- Streams that more than one extent row refers to, with how many.
create table shared_streams (
  stream bytea primary key,
  refs bigint not null
);

-- Streams that nobody refers to any more; removed from the disks after their grace and a second look (0003).
create table released_streams (
  id bigint generated always as identity primary key,
  stream bytea not null,
  size bigint not null,
  released_at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Multipart uploads ------------------------------------------------------------------------------------------------

create table uploads (
  id bytea primary key,
  bucket_id bigint not null references buckets,
  key bytea not null,
  initiator_account text not null,
  owner_account text not null,
  headers bytea,
  checksum_algorithm smallint,
  checksum_type smallint not null,
  initiated_at timestamptz not null default now(),
  acl bytea,
  tags bytea,
  retain_mode smallint,
  retain_until bigint,
  legal_hold boolean,
  encryption bytea
);
create index uploads_listed on uploads (bucket_id, key, initiated_at, id);
create index uploads_aged on uploads (bucket_id, initiated_at);

create table upload_parts (
  upload bytea not null references uploads on delete cascade,
  number integer not null,
  size bigint not null,
  etag text not null,
  checksum_algorithm smallint,
  checksum bytea,
  modified_at timestamptz not null default now(),
  primary key (upload, number)
);

create table upload_extents (
  upload bytea not null references uploads on delete cascade,
  number integer not null,
  start bigint not null,
  stream bytea not null,
  stream_size bigint not null,
  stream_offset bigint not null,
  length bigint not null,
  primary key (upload, number, start)
);
create index upload_extents_stream on upload_extents (stream);

-- Lifecycle: how far each rule's scan has got (a rule is known by the digest of its text), and keys to look at again.
create table lifecycle_cursors (
  bucket_id bigint not null references buckets on delete cascade,
  scan smallint not null,
  rule bytea not null,
  position bytea not null,
  primary key (bucket_id, scan, rule)
) with (fillfactor = 50);

create table lifecycle_rechecks (
  bucket_id bigint not null references buckets on delete cascade,
  key bytea not null,
  due_ms bigint not null,
  primary key (bucket_id, key)
);
create index lifecycle_rechecks_due on lifecycle_rechecks (bucket_id, due_ms);

-- A repeated Complete gets its first answer for 7 days.
create table completed_uploads (
  upload bytea primary key,
  bucket_id bigint not null,
  key bytea not null,
  version bytea not null,
  is_null boolean not null,
  size bigint not null,
  etag text not null,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  completed_at timestamptz not null default now()
);
create index completed_uploads_time on completed_uploads (completed_at);

-- Cluster ----------------------------------------------------------------------------------------------------------

create table nodes (
  id bytea primary key,
  address text not null,
  operations_address text not null,
  host text not null,
  zone text not null,
  disks jsonb not null,
  last_seen timestamptz not null
) with (fillfactor = 50);

create table ring_epochs (
  epoch bigint primary key,
  ring_table bytea not null,
  live boolean not null default true,
  published_at timestamptz not null default now()
);

create table ring_state (
  only_row boolean primary key default true check (only_row),
  min_epoch bigint not null default 0
);
insert into ring_state default values;

create table coordinator (
  only_row boolean primary key default true check (only_row),
  token bigint not null default 0
);
insert into coordinator default values;

-- Garbage collection: what an operator confirmed, why it is halted, how many orphans the next pass may release when that is more
-- than usual, and the ages that whoever leads goes by.
create table garbage_collection (
  only_row boolean primary key default true check (only_row),
  accepted bigint not null default 0,
  halted text not null default '',
  halted_at timestamptz,
  allowance bigint not null default 0,
  grace_s bigint not null default 0,
  trash_s bigint not null default 0,
  orphan_age_s bigint not null default 0
);
insert into garbage_collection default values;

-- What the reconcile scan released lately, by disk: its breaker counts over several passes.
create table orphan_releases (
  disk bytea not null,
  blobs bigint not null,
  released_at timestamptz not null default now()
);

-- Notifications: settings and credentials alone, never objects ------------------------------------------------------

create function notify_directory() returns trigger language plpgsql as $$
begin
  if tg_table_name = 'buckets' then
    perform pg_notify('rondel_directory', 'b' || coalesce(new.name, old.name));
  elsif tg_table_name = 'access_keys' then
    perform pg_notify('rondel_directory', 'k' || coalesce(new.access_key, old.access_key));
  else
    perform pg_notify('rondel_directory', 'a' || coalesce(new.id, old.id));
  end if;
  return null;
end $$;
create trigger buckets_notify after insert or update or delete on buckets for each row execute function notify_directory();
create trigger keys_notify after insert or update or delete on access_keys for each row execute function notify_directory();
create trigger accounts_notify after insert or update or delete on accounts for each row execute function notify_directory();

-- Commit rules -----------------------------------------------------------------------------------------------------

-- Statuses are those of CommitStatus in metadata/store/commit_result.h.
create type outcome as (
  status smallint,
  version bytea,
  is_null boolean,
  size bigint,
  etag text,
  delete_marker boolean,
  checksum_algorithm smallint,
  checksum_type smallint,
  checksum bytea,
  detail text,
  d_objects bigint,
  d_versions bigint,
  d_bytes bigint
);

-- What a version carries beside bytes and headers. Modes: 1 governance, 2 compliance; times in ms.
create type attributes as (
  acl bytea,
  tags bytea,
  retain_mode smallint,
  retain_until bigint,
  legal_hold boolean,
  encryption bytea
);

create function refusal(status integer, detail text default '') returns outcome language sql immutable as $$
  select row(status, null, false, 0, '', false, null, null, null, detail, 0, 0, 0)::outcome
$$;

create function now_ms() returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

-- Milliseconds since 1970: the first 48 bits of a version id.
create function version_ms(version bytea) returns bigint language sql immutable as $$
  select (get_byte(version, 0)::bigint << 40) | (get_byte(version, 1)::bigint << 32) | (get_byte(version, 2)::bigint << 24)
    | (get_byte(version, 3)::bigint << 16) | (get_byte(version, 4)::bigint << 8) | get_byte(version, 5)
$$;

-- greatest(mine, head + 1): order of versions = order of commits even with skewed clocks.
create function next_version(head bytea, mine bytea) returns bytea language plpgsql immutable as $$
declare
  clock bigint;
begin
  if head is null or mine > head then
    return mine;
  end if;
  clock := (version_ms(head) << 16) | (get_byte(head, 6)::bigint << 8) | get_byte(head, 7);
  return int8send(clock + 1) || substring(mine from 9);
end $$;

create function release_stream(s bytea, stream_bytes bigint, maybe_shared boolean) returns void language plpgsql as $$
declare
  left_over bigint;
begin
  if maybe_shared then
    update shared_streams set refs = refs - 1 where stream = s returning refs into left_over;
    if found then
      if left_over > 0 then
        return;
      end if;
      delete from shared_streams where stream = s;
    end if;
  end if;
  insert into released_streams (stream, size) values (s, stream_bytes);
end $$;

create function add_reference(s bytea) returns void language sql as $$
  insert into shared_streams (stream, refs) values (s, 2) on conflict (stream) do update set refs = shared_streams.refs + 1
$$;

create function release_version(h objects) returns void language plpgsql as $$
declare
  e object_extents;
begin
  if h.extent_count = 1 then
    perform release_stream(h.stream, h.stream_size, h.shared);
  elsif h.extent_count > 1 then
    for e in with gone as (delete from object_extents where manifest = h.manifest returning *) select * from gone order by stream loop
      perform release_stream(e.stream, e.stream_size, true);
    end loop;
  end if;
  if h.part_count > 0 then
    delete from object_parts where manifest = h.manifest;
  end if;
end $$;

-- Conditions on a current version that may be absent (etag null). Lists of ETags are what a client sent, whatever bytes those are: they are
-- never text, which could refuse them. They are separated by 0x1f, which no ETag holds; times in ms.
create type conditions as (
  if_match bytea,
  if_none_match bytea,
  if_modified_since bigint,
  if_unmodified_since bigint,
  if_size bigint,
  if_modified_at bigint
);

-- Whether a list names this ETag. A delete marker's, which is empty, is named by none.
create function names_etag(list bytea, etag text) returns boolean language plpgsql immutable as $$
begin
  return list = '*' or (etag <> '' and position('\x1f'::bytea || convert_to(etag, 'UTF8') || '\x1f' in '\x1f'::bytea || list || '\x1f') > 0);
end $$;

-- 1 = all hold, otherwise the refusal's status.
create function check_conditions(c conditions, present boolean, head_etag text, head_size bigint, head_ms bigint)
returns smallint language plpgsql immutable as $$
begin
  if c.if_match is not null then
    if not present then
      return 6;
    end if;
    if not names_etag(c.if_match, head_etag) then
      return 5;
    end if;
  end if;
  if c.if_none_match is not null and present and names_etag(c.if_none_match, head_etag) then
    return 5;
  end if;
  if c.if_unmodified_since is not null and present and head_ms / 1000 > c.if_unmodified_since / 1000 then
    return 5;
  end if;
  if c.if_modified_since is not null and present and head_ms / 1000 <= c.if_modified_since / 1000 then
    return 5;
  end if;
  if (c.if_size is not null or c.if_modified_at is not null) and not present then
    return 6;
  end if;
  if c.if_size is not null and head_size <> c.if_size then
    return 5;
  end if;
  if c.if_modified_at is not null and head_ms / 1000 <> c.if_modified_at / 1000 then
    return 5;
  end if;
  return 1;
end $$;

-- Null versions of older commits give way to a new null version.
create function drop_old_null(b bigint, k bytea) returns outcome language plpgsql as $$
declare
  v versions;
  o outcome := refusal(1);
begin
  delete from versions where bucket_id = b and key = k and is_null returning * into v;
  if found then
    perform release_version(v::text::objects);
    o.d_versions := -1;
    o.d_bytes := -v.size;
  end if;
  return o;
end $$;

-- true or NULL, as lone_marker is stored.
create function no_history(b bigint, k bytea) returns boolean language plpgsql as $$
begin
  perform 1 from versions where bucket_id = b and key = k limit 1;
  return case when found then null else true end;
end $$;

-- Whether retention or a legal hold keeps a version from being removed now: by the earlier of our clock and the gateway's, lock_ms.
create function is_protected(h objects, bypass boolean, lock_ms bigint) returns boolean language plpgsql as $$
begin
  if h.legal_hold then
    return true;
  end if;
  return h.retain_mode is not null and h.retain_until > least(now_ms(), lock_ms) and not (h.retain_mode = 1 and bypass);
end $$;

-- The row of the current version becomes n.
create function set_head(n objects) returns void language plpgsql as $$
begin
  update objects set version = n.version, is_null = n.is_null, delete_marker = n.delete_marker, shared = n.shared, size = n.size,
    etag = n.etag, owner_account = n.owner_account, checksum_algorithm = n.checksum_algorithm, checksum_type = n.checksum_type,
    checksum = n.checksum, headers = n.headers, part_count = n.part_count, extent_count = n.extent_count, manifest = n.manifest,
    stream = n.stream, stream_size = n.stream_size, stream_offset = n.stream_offset, acl = n.acl, tags = n.tags,
    retain_mode = n.retain_mode, retain_until = n.retain_until, legal_hold = n.legal_hold, encryption = n.encryption,
    lone_marker = n.lone_marker, replaced_ms = null
    where bucket_id = n.bucket_id and key = n.key;
end $$;

-- Makes n the current version of its key: the one place where a version replaces another. n.version is the caller's clock.
create function place_version(n objects, versioning smallint, c conditions) returns outcome language plpgsql as $$
declare
  h objects;
  o outcome := refusal(1);
  old outcome;
  present boolean;
begin
  n.is_null := versioning <> 1;
  loop
    select * into h from objects where bucket_id = n.bucket_id and key = n.key for update;
    if found then
      exit;
    end if;
    if not (c is null) then
      o.status := check_conditions(c, false, null, 0, 0);
      if o.status <> 1 then
        return o;
      end if;
    end if;
    if n.delete_marker then
      n.lone_marker := true;
    end if;
    insert into objects values (n.*) on conflict do nothing;
    if found then
      o.d_objects := case when n.delete_marker then 0 else 1 end;
      o.d_versions := 1;
      o.d_bytes := n.size;
      o.version := n.version;
      o.is_null := n.is_null;
      o.size := n.size;
      o.etag := n.etag;
      o.delete_marker := n.delete_marker;
      return o;
    end if;
  end loop;
  if not (c is null) then
    present := not h.delete_marker;
    o.status := check_conditions(c, present, h.etag, h.size, version_ms(h.version));
    if o.status <> 1 then
      return o;
    end if;
  end if;
  n.version := next_version(h.version, n.version);
  n.lone_marker := null;
  o.d_objects := (case when n.delete_marker then 0 else 1 end) - (case when h.delete_marker then 0 else 1 end);
  o.d_versions := 1;
  o.d_bytes := n.size;
  if versioning = 1 or (versioning = 2 and not h.is_null) then
    h.lone_marker := null;
    h.replaced_ms := version_ms(n.version);
    insert into versions values (h.*);
    if versioning = 2 then
      old := drop_old_null(n.bucket_id, n.key);
      o.d_versions := o.d_versions + old.d_versions;
      o.d_bytes := o.d_bytes + old.d_bytes;
    end if;
  else
    perform release_version(h);
    o.d_versions := 0;
    o.d_bytes := n.size - h.size;
    if n.delete_marker then
      n.lone_marker := no_history(n.bucket_id, n.key);
    end if;
  end if;
  perform set_head(n);
  o.version := n.version;
  o.is_null := n.is_null;
  o.size := n.size;
  o.etag := n.etag;
  o.delete_marker := n.delete_marker;
  return o;
end $$;

-- plpgsql, as a function in SQL is parsed and planned again in each transaction.
create function count_usage(b bigint, d_objects bigint, d_versions bigint, d_bytes bigint) returns void language plpgsql as $$
begin
  insert into bucket_usage as u (bucket_id, slot, objects, versions, bytes)
  values (b, pg_backend_pid() % 16, d_objects, d_versions, d_bytes)
  on conflict on constraint bucket_usage_pkey do update set objects = u.objects + excluded.objects, versions = u.versions + excluded.versions,
    bytes = u.bytes + excluded.bytes;
end $$;

-- 1, or why a commit decided under these may not be.
create function check_context(b bigint, settings bigint, epoch bigint) returns smallint language plpgsql as $$
declare
  current_settings bigint;
begin
  select settings_version into current_settings from buckets where id = b for key share;
  if not found then
    return 2;
  end if;
  if settings <> 0 and current_settings <> settings then
    return 3;
  end if;
  if epoch <> 0 and epoch < (select min_epoch from ring_state) then
    return 4;
  end if;
  return 1;
end $$;

-- A batch of PUTs, one row per key, sorted by (bucket, key). Outcomes in the order given.
-- All that may make an object go in together: a statement for each costs three times as much. Those whose key exists are locked by that, in
-- their turn, and placed one by one; a condition that needs an object has its turn between two runs.
create function put_objects(
  bucket_ids bigint[], settings bigint[], epochs bigint[], keys bytea[], clocks bytea[], versionings smallint[], sizes bigint[],
  etags text[], owners text[], algorithms smallint[], types smallint[], checksums bytea[], headers bytea[], streams bytea[],
  stream_sizes bigint[], if_match bytea[], if_none_match bytea[], acls bytea[], tag_sets bytea[], retain_modes smallint[],
  retain_untils bigint[], legal_holds boolean[], encryptions bytea[]
) returns setof outcome language plpgsql as $$
declare
  o outcome;
  n objects;
  c conditions;
  context smallint;
  inserted bytea[];
  inserted_bytes bigint;
  first integer := 1;
  last integer;
  run_end integer;
  answered integer;
  d_objects bigint := 0;
  d_versions bigint := 0;
  d_bytes bigint := 0;
begin
  while first <= cardinality(keys) loop
    last := first;
    while last < cardinality(keys) and bucket_ids[last + 1] = bucket_ids[first] and settings[last + 1] = settings[first]
        and epochs[last + 1] = epochs[first] loop
      last := last + 1;
    end loop;
    context := check_context(bucket_ids[first], settings[first], epochs[first]);
    answered := first - 1;
    if context <> 1 then
      return query select r.* from generate_series(first, last), refusal(context) as r;
      answered := last;
    end if;
    run_end := first - 1;
    for i in first..last loop
      continue when i <= answered;
      if i > run_end and last > first then
        run_end := i - 1;
        while run_end < last and if_match[run_end + 1] is null loop
          run_end := run_end + 1;
        end loop;
        if run_end >= i then
          with placed as (
            insert into objects
              select bucket_ids[first], k, clock, versioning <> 1, false, false, bytes, tag, owner, algorithm, type, digest, header, 0,
                (stream is not null)::integer, null, stream, stream_bytes, 0, acl, tags, mode, until, hold, envelope, null, null
              from unnest(keys[i:run_end], clocks[i:run_end], versionings[i:run_end], sizes[i:run_end], etags[i:run_end],
                          owners[i:run_end], algorithms[i:run_end], types[i:run_end], checksums[i:run_end], headers[i:run_end],
                          streams[i:run_end], stream_sizes[i:run_end], acls[i:run_end], tag_sets[i:run_end], retain_modes[i:run_end],
                          retain_untils[i:run_end], legal_holds[i:run_end], encryptions[i:run_end])
                as r(k, clock, versioning, bytes, tag, owner, algorithm, type, digest, header, stream, stream_bytes, acl, tags, mode, until,
                     hold, envelope)
              -- Changes nothing, and locks the row that is there in its turn.
              on conflict (bucket_id, key) do update set lone_marker = null where false
              returning version, size)
            select array_agg(version), sum(size) into inserted, inserted_bytes from placed;
          d_objects := d_objects + coalesce(cardinality(inserted), 0);
          d_versions := d_versions + coalesce(cardinality(inserted), 0);
          d_bytes := d_bytes + coalesce(inserted_bytes, 0);
          if cardinality(inserted) = run_end - i + 1 then
            return query select 1::smallint, clock, versioning <> 1, bytes, tag, false, null::smallint, null::smallint, null::bytea, '', 1::bigint,
                1::bigint, bytes
              from unnest(clocks[i:run_end], versionings[i:run_end], sizes[i:run_end], etags[i:run_end]) as r(clock, versioning, bytes, tag);
            answered := run_end;
            continue;
          end if;
        end if;
      end if;
      if i <= run_end and clocks[i] = any (inserted) then
        return next row(1, clocks[i], versionings[i] <> 1, sizes[i], etags[i], false, null, null, null, '', 1, 1, sizes[i])::outcome;
        continue;
      end if;
      c := null;
      if if_match[i] is not null or if_none_match[i] is not null then
        c.if_match := if_match[i];
        c.if_none_match := if_none_match[i];
      end if;
      n := row(bucket_ids[i], keys[i], clocks[i], true, false, false, sizes[i], etags[i], owners[i], algorithms[i], types[i],
               checksums[i], headers[i], 0, case when streams[i] is null then 0 else 1 end, null, streams[i], stream_sizes[i], 0, acls[i],
               tag_sets[i], retain_modes[i], retain_untils[i], legal_holds[i], encryptions[i], null, null);
      o := place_version(n, versionings[i], c);
      d_objects := d_objects + o.d_objects;
      d_versions := d_versions + o.d_versions;
      d_bytes := d_bytes + o.d_bytes;
      return next o;
    end loop;
    -- Behind all heads of the bucket, as the order of locks wants it.
    if last = cardinality(keys) or bucket_ids[last + 1] <> bucket_ids[first] then
      if d_versions <> 0 or d_bytes <> 0 or d_objects <> 0 then
        perform count_usage(bucket_ids[first], d_objects, d_versions, d_bytes);
      end if;
      d_objects := 0;
      d_versions := 0;
      d_bytes := 0;
    end if;
    first := last + 1;
  end loop;
end $$;

-- Removes one named version; the newest of the others becomes the head.
create function delete_version(b bigint, k bytea, v bytea, null_version boolean, c conditions, bypass boolean, lock_ms bigint) returns outcome
language plpgsql as $$
declare
  h objects;
  w versions;
  o outcome := refusal(1);
begin
  select * into h from objects where bucket_id = b and key = k for update;
  if not found then
    return o;
  end if;
  if (null_version and h.is_null) or (not null_version and h.version = v) then
    if not (c is null) then
      o.status := check_conditions(c, true, h.etag, h.size, version_ms(h.version));
      if o.status <> 1 then
        return o;
      end if;
    end if;
    if is_protected(h, bypass, lock_ms) then
      return refusal(17);
    end if;
    o.version := h.version;
    o.is_null := h.is_null;
    o.delete_marker := h.delete_marker;
    o.d_objects := case when h.delete_marker then 0 else -1 end;
    o.d_versions := -1;
    o.d_bytes := -h.size;
    perform release_version(h);
    -- The row that is handed out, not one that was read before: a copy may have shared its stream meanwhile.
    delete from versions where bucket_id = b and key = k
      and version = (select v2.version from versions v2 where v2.bucket_id = b and v2.key = k order by v2.version desc limit 1)
      returning * into w;
    if found then
      -- In place: whoever waits for the head's row goes on waiting for this one.
      w.replaced_ms := null;
      w.lone_marker := case when w.delete_marker then no_history(b, k) end;
      perform set_head(w::text::objects);
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
    if o.status <> 1 then
      return o;
    end if;
  end if;
  if is_protected(w::text::objects, bypass, lock_ms) then
    return refusal(17);
  end if;
  delete from versions where bucket_id = b and key = k and version = w.version returning * into w;
  if h.delete_marker and no_history(b, k) then
    update objects set lone_marker = true where bucket_id = b and key = k;
  end if;
  perform release_version(w::text::objects);
  o.version := w.version;
  o.is_null := w.is_null;
  o.delete_marker := w.delete_marker;
  o.d_versions := -1;
  o.d_bytes := -w.size;
  return o;
end $$;

-- A batch of DELETEs, sorted by (bucket, key). Conditions are about what is there, a delete marker included (it has no ETag
-- and no bytes); where nothing is, they refuse nothing and nothing is made. Modes: 0 current, 1 the version named, 2 the null version.
create function delete_objects(
  bucket_ids bigint[], settings bigint[], keys bytea[], clocks bytea[], versionings smallint[], modes smallint[],
  named bytea[], owners text[], if_match bytea[], if_none_match bytea[], if_sizes bigint[], if_times bigint[], if_unmodified bigint[],
  bypasses boolean[], guards smallint[], lock_times bigint[]
) returns setof outcome language plpgsql as $$
declare
  o outcome;
  h objects;
  n objects;
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
    if context <> 1 then
      return next refusal(context);
      continue;
    end if;
    c := null;
    if if_match[i] is not null or if_none_match[i] is not null or if_sizes[i] is not null or if_times[i] is not null
        or if_unmodified[i] is not null then
      c := row(if_match[i], if_none_match[i], null, if_unmodified[i], if_sizes[i], if_times[i]);
    end if;
    if guards[i] <> 0 then
      perform 1 from objects where bucket_id = bucket_ids[i] and key = keys[i]
        and case guards[i] when 1 then version = named[i] and not delete_marker
                           when 2 then version <> named[i]
                           else version = named[i] and lone_marker end for update;
      if not found then
        return next refusal(5);
        continue;
      end if;
    end if;
    if modes[i] <> 0 then
      o := delete_version(bucket_ids[i], keys[i], named[i], modes[i] = 2, c, bypasses[i], lock_times[i]);
    else
      o := refusal(1);
      h := null;
      if not (c is null) or versionings[i] = 0 then
        select * into h from objects where bucket_id = bucket_ids[i] and key = keys[i] for update;
        if not found then
          return next o;
          continue;
        end if;
        if not (c is null) then
          o.status := check_conditions(c, true, h.etag, h.size, version_ms(h.version));
        end if;
      end if;
      if o.status <> 1 then
        return next o;
        continue;
      end if;
      if versionings[i] <> 0 then
        n := row(bucket_ids[i], keys[i], clocks[i], true, true, false, 0, '', owners[i], null, null, null, null, 0, 0, null, null,
                 null, null, null, null, null, null, null, null, null, null);
        o := place_version(n, versionings[i], null);
      else
        delete from objects where bucket_id = bucket_ids[i] and key = keys[i];
        perform release_version(h);
        o.version := h.version;
        o.is_null := true;
        o.d_objects := -1;
        o.d_versions := -1;
        o.d_bytes := -h.size;
      end if;
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

-- Locks two keys in the global order, whether their rows exist or not.
create function lock_pair(b1 bigint, k1 bytea, b2 bigint, k2 bytea) returns void language plpgsql as $$
begin
  if (b1, k1) < (b2, k2) then
    perform 1 from objects where bucket_id = b1 and key = k1 for update;
    perform 1 from objects where bucket_id = b2 and key = k2 for update;
  else
    perform 1 from objects where bucket_id = b2 and key = k2 for update;
    perform 1 from objects where bucket_id = b1 and key = k1 for update;
  end if;
end $$;

-- The named version of a key, head or history, locked: what may refer to its streams again. Callers hold the head's row, so that no
-- version moves between the two looks.
create function find_source(b bigint, k bytea, v bytea) returns objects language plpgsql as $$
declare
  h objects;
  w versions;
begin
  select * into h from objects where bucket_id = b and key = k and version = v for update;
  if found then
    return h;
  end if;
  select * into w from versions where bucket_id = b and key = k and version = v for update;
  if found then
    return w::text::objects;
  end if;
  return null;
end $$;

create function mark_shared(s objects) returns void language sql as $$
  update objects set shared = true where bucket_id = s.bucket_id and key = s.key and version = s.version and not shared;
  update versions set shared = true where bucket_id = s.bucket_id and key = s.key and version = s.version and not shared;
$$;

-- Locks what is counted of the streams of two versions, in the order of streams: one gets references, the other may lose its own.
create function lock_counts(s objects, t objects) returns void language plpgsql as $$
begin
  perform 1 from shared_streams where stream in (
      select stream from object_extents where manifest in (s.manifest, t.manifest) union select s.stream union select t.stream)
    order by stream for update;
end $$;

-- A new version over the extents of another: no bytes move.
create function copy_object(
  b bigint, settings bigint, k bytea, clock bytea, versioning smallint, owner text, new_etag text, algorithm smallint, type smallint,
  new_checksum bytea, new_headers bytea, source_bucket bigint, source_key bytea, source_version bytea, source_etag text, c conditions,
  a attributes
) returns outcome language plpgsql as $$
declare
  s objects;
  n objects;
  o outcome;
  e object_extents;
  target_exists boolean;
  context smallint;
begin
  context := check_context(b, settings, 0);
  if context <> 1 then
    return refusal(context);
  end if;
  perform lock_pair(b, k, source_bucket, source_key);
  s := find_source(source_bucket, source_key, source_version);
  if s.version is null or s.delete_marker or s.etag <> source_etag then
    return refusal(7);
  end if;
  select * into n from objects where bucket_id = b and key = k for update;
  target_exists := found;
  if not (c is null) then
    -- Conditions first: a refused copy must not count references.
    if target_exists then
      context := check_conditions(c, not n.delete_marker, n.etag, n.size, version_ms(n.version));
    else
      context := check_conditions(c, false, null, 0, 0);
    end if;
    if context <> 1 then
      return refusal(context);
    end if;
  end if;
  if target_exists and n.extent_count > 0 then
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
  n.acl := a.acl;
  n.tags := a.tags;
  n.retain_mode := a.retain_mode;
  n.retain_until := a.retain_until;
  n.legal_hold := a.legal_hold;
  n.encryption := a.encryption;
  n.replaced_ms := null;
  if s.extent_count = 1 then
    perform add_reference(s.stream);
    perform mark_shared(s);
  elsif s.extent_count > 1 then
    for e in select * from object_extents where manifest = s.manifest order by stream loop
      perform add_reference(e.stream);
    end loop;
    insert into object_extents select n.manifest, start, stream, stream_size, stream_offset, length
      from object_extents where manifest = s.manifest;
  end if;
  if n.part_count > 0 then
    insert into object_parts select n.manifest, number, start, size, etag, checksum_algorithm, checksum
      from object_parts where manifest = s.manifest;
  end if;
  o := place_version(n, versioning, c);
  if o.status <> 1 then
    -- The target came since: what was counted above must not stay. It runs again and is refused before that.
    raise exception 'conditions changed' using errcode = '40001';
  end if;
  perform count_usage(b, o.d_objects, o.d_versions, o.d_bytes);
  return o;
end $$;

-- Bytes behind the end of an object of a bucket that never had versions.
create function append_object(
  b bigint, settings bigint, epoch bigint, k bytea, clock bytea, versioning smallint, at bigint, expected_etag text, added bigint,
  new_etag text, owner text, algorithm smallint, type smallint, new_checksum bytea, new_headers bytea, new_stream bytea,
  new_stream_size bigint, c conditions, a attributes
) returns outcome language plpgsql as $$
declare
  h objects;
  n objects;
  o outcome := refusal(1);
  context smallint;
begin
  context := check_context(b, settings, epoch);
  if context <> 1 then
    return refusal(context);
  end if;
  if versioning <> 0 then
    return refusal(14);
  end if;
  select * into h from objects where bucket_id = b and key = k for update;
  if not found then
    if at <> 0 then
      return refusal(13);
    end if;
    if not (c is null) then
      context := check_conditions(c, false, null, 0, 0);
      if context <> 1 then
        return refusal(context);
      end if;
    end if;
    c := null;
    c.if_none_match := '*';
    n := row(b, k, clock, true, false, false, added, new_etag, owner, algorithm, type, new_checksum, new_headers, 0,
             case when new_stream is null then 0 else 1 end, null, new_stream, new_stream_size, 0, a.acl, a.tags, a.retain_mode,
             a.retain_until, a.legal_hold, a.encryption, null, null);
    o := place_version(n, 0::smallint, c);
    if o.status <> 1 then
      -- An object came since, and is not replaced: at offset 0 this is a refusal when it runs again.
      raise exception 'the object came meanwhile' using errcode = '40001';
    end if;
    perform count_usage(b, o.d_objects, o.d_versions, o.d_bytes);
    return o;
  end if;
  if not (c is null) then
    context := check_conditions(c, true, h.etag, h.size, version_ms(h.version));
    if context <> 1 then
      return refusal(context);
    end if;
  end if;
  if h.size <> at or h.etag <> expected_etag or h.extent_count >= 10000 then
    return refusal(13);
  end if;
  if new_stream is not null and h.extent_count = 0 then
    update objects set stream = new_stream, stream_size = new_stream_size, stream_offset = 0, extent_count = 1
      where bucket_id = b and key = k;
  elsif new_stream is not null then
    if h.manifest is null then
      h.manifest := h.version;
    end if;
    if h.extent_count = 1 then
      insert into object_extents values (h.manifest, 0, h.stream, h.stream_size, h.stream_offset, h.size);
    end if;
    insert into object_extents values (h.manifest, h.size, new_stream, new_stream_size, 0, added);
    update objects set extent_count = h.extent_count + 1, manifest = h.manifest, stream = null, stream_size = null,
      stream_offset = null where bucket_id = b and key = k;
  end if;
  o.version := next_version(h.version, clock);
  update objects set version = o.version, size = h.size + added, etag = new_etag, checksum_algorithm = algorithm,
    checksum_type = type, checksum = new_checksum where bucket_id = b and key = k;
  o.is_null := true;
  o.size := h.size + added;
  o.etag := new_etag;
  perform count_usage(b, 0, 0, added);
  return o;
end $$;

-- `sealed`: the envelope for the target's key, made for version `sealed_for` of the source. 18: there is an envelope and no such one.
create function rename_object(b bigint, settings bigint, source bytea, target bytea, clock bytea, cs conditions, ct conditions,
  sealed_for bytea, sealed bytea) returns outcome language plpgsql as $$
declare
  s objects;
  t objects;
  o outcome := refusal(1);
  context smallint;
  target_exists boolean;
begin
  context := check_context(b, settings, 0);
  if context <> 1 then
    return refusal(context);
  end if;
  if (select versioning from buckets where id = b) <> 0 then
    return refusal(14);
  end if;
  perform lock_pair(b, source, b, target);
  select * into s from objects where bucket_id = b and key = source for update;
  if not found then
    return refusal(6);
  end if;
  if not (cs is null) then
    context := check_conditions(cs, true, s.etag, s.size, version_ms(s.version));
    if context <> 1 then
      return refusal(context);
    end if;
  end if;
  select * into t from objects where bucket_id = b and key = target for update;
  target_exists := found;
  if not (ct is null) then
    context := check_conditions(ct, target_exists, t.etag, t.size, case when target_exists then version_ms(t.version) else 0 end);
    if context <> 1 then
      return refusal(context);
    end if;
  end if;
  o.version := s.version;
  o.is_null := true;
  o.size := s.size;
  o.etag := s.etag;
  if source = target then
    return o;
  end if;
  if s.encryption is not null and (sealed is null or s.version is distinct from sealed_for) then
    return refusal(18);
  end if;
  if target_exists then
    perform release_version(t);
    delete from objects where bucket_id = b and key = target;
  end if;
  begin
    update objects set key = target, encryption = case when s.encryption is not null then sealed end where bucket_id = b and key = source;
  exception when unique_violation then
    raise exception 'the target came meanwhile' using errcode = '40001';
  end;
  if target_exists then
    perform count_usage(b, -1, -1, -t.size);
  end if;
  -- Rules for the new key may be past its age.
  if exists (select 1 from bucket_settings where bucket_id = b and kind = 4) then
    insert into lifecycle_rechecks values (b, target, 0) on conflict (bucket_id, key) do update set due_ms = 0;
  end if;
  return o;
end $$;

-- 1, or 17 when the retention of h forbids the new one. An expired retention binds nobody; by which clocks: is_protected.
create function check_retention(h objects, new_mode smallint, new_until bigint, bypass boolean, lock_ms bigint) returns smallint language plpgsql as $$
begin
  if h.retain_mode is null or h.retain_until <= least(now_ms(), lock_ms) or (h.retain_mode = 1 and bypass) then
    return 1;
  end if;
  if new_mode is distinct from h.retain_mode or new_until is null or new_until < h.retain_until then
    return 17;
  end if;
  return 1;
end $$;

-- Attributes of one version, head or history. Modes as in delete_objects. Mask: 1 acl, 2 tags, 4 retention, 8 legal hold,
-- 16 encryption.
create function update_version(b bigint, settings bigint, k bytea, mode smallint, v bytea, expected_etag text, mask integer,
  bypass boolean, a attributes, lock_ms bigint) returns outcome language plpgsql as $$
declare
  h objects;
  w versions;
  o outcome := refusal(1);
  in_history boolean := false;
  context smallint := check_context(b, settings, 0);
begin
  if context <> 1 then
    return refusal(context);
  end if;
  -- The head's row orders all changes of a key's versions.
  select * into h from objects where bucket_id = b and key = k for update;
  if not found then
    return refusal(6);
  end if;
  if mode <> 0 and not (case when mode = 2 then h.is_null else h.version = v end) then
    select * into w from versions where bucket_id = b and key = k and case when mode = 2 then is_null else version = v end for update;
    if not found then
      return refusal(6);
    end if;
    h := w::text::objects;
    in_history := true;
  end if;
  o.version := h.version;
  o.is_null := h.is_null;
  o.size := h.size;
  o.etag := h.etag;
  o.delete_marker := h.delete_marker;
  if h.delete_marker then
    o.status := 6;
  elsif h.etag <> expected_etag then
    o.status := 5;
  elsif mask & 4 <> 0 then
    o.status := check_retention(h, a.retain_mode, a.retain_until, bypass, lock_ms);
  end if;
  if o.status <> 1 then
    return o;
  end if;
  if mask & 1 <> 0 then
    h.acl := a.acl;
  end if;
  if mask & 2 <> 0 then
    h.tags := a.tags;
  end if;
  if mask & 4 <> 0 then
    h.retain_mode := a.retain_mode;
    h.retain_until := a.retain_until;
  end if;
  if mask & 8 <> 0 then
    h.legal_hold := a.legal_hold;
  end if;
  if mask & 16 <> 0 then
    h.encryption := a.encryption;
  end if;
  if in_history then
    update versions set acl = h.acl, tags = h.tags, retain_mode = h.retain_mode, retain_until = h.retain_until,
      legal_hold = h.legal_hold, encryption = h.encryption where bucket_id = b and key = k and version = h.version;
  else
    update objects set acl = h.acl, tags = h.tags, retain_mode = h.retain_mode, retain_until = h.retain_until,
      legal_hold = h.legal_hold, encryption = h.encryption where bucket_id = b and key = k;
  end if;
  -- Rules go by age; a change of tags or locks lets them look again.
  if mask & 14 <> 0 and exists (select 1 from bucket_settings where bucket_id = b and kind = 4) then
    insert into lifecycle_rechecks values (b, k, 0) on conflict (bucket_id, key) do update set due_ms = 0;
  end if;
  return o;
end $$;

-- Uploads ----------------------------------------------------------------------------------------------------------

-- begun_ms: the gateway's clock. An upload begins by the later one of both, so that a clock which was behind makes nothing old.
create function create_upload(b bigint, settings bigint, u bytea, k bytea, initiator text, owner text, h bytea, algorithm smallint,
  type smallint, a attributes, begun_ms bigint) returns smallint language plpgsql as $$
declare
  context smallint := check_context(b, settings, 0);
begin
  if context = 1 then
    insert into uploads values (u, b, k, initiator, owner, h, algorithm, type, greatest(now(), to_timestamp(begun_ms / 1000.0)), a.acl, a.tags, a.retain_mode, a.retain_until,
                                a.legal_hold, a.encryption);
  end if;
  return context;
end $$;

create function release_part(u bytea, n integer) returns void language plpgsql as $$
declare
  e upload_extents;
begin
  for e in with gone as (delete from upload_extents where upload = u and number = n returning *) select * from gone order by stream loop
    perform release_stream(e.stream, e.stream_size, true);
  end loop;
  delete from upload_parts where upload = u and number = n;
end $$;

-- The upload's row orders parts, Complete and Abort: parts share it, the others take it whole.
create function put_part(b bigint, epoch bigint, u bytea, k bytea, n integer, part_size bigint, part_etag text, algorithm smallint,
  part_checksum bytea, part_stream bytea, part_stream_size bigint) returns outcome language plpgsql as $$
declare
  o outcome := refusal(1);
  context smallint := check_context(b, 0, epoch);
begin
  if context <> 1 then
    return refusal(context);
  end if;
  perform 1 from uploads where id = u and bucket_id = b and key = k for key share;
  if not found then
    return refusal(8);
  end if;
  perform pg_advisory_xact_lock(hashtextextended(encode(u, 'hex'), n));
  perform release_part(u, n);
  insert into upload_parts values (u, n, part_size, part_etag, algorithm, part_checksum);
  if part_stream is not null then
    insert into upload_extents values (u, n, 0, part_stream, part_stream_size, 0, part_size);
  end if;
  o.size := part_size;
  o.etag := part_etag;
  return o;
end $$;

create function copy_part(b bigint, u bytea, k bytea, n integer, part_size bigint, part_etag text, algorithm smallint,
  part_checksum bytea, source_bucket bigint, source_key bytea, source_version bytea, source_etag text, source_offset bigint)
returns outcome language plpgsql as $$
declare
  o outcome := refusal(1);
  s objects;
  e record;
  context smallint := check_context(b, 0, 0);
begin
  if context <> 1 then
    return refusal(context);
  end if;
  perform 1 from uploads where id = u and bucket_id = b and key = k for key share;
  if not found then
    return refusal(8);
  end if;
  perform pg_advisory_xact_lock(hashtextextended(encode(u, 'hex'), n));
  -- The source's head, then the version itself, as whoever removes it does.
  perform 1 from objects where bucket_id = source_bucket and key = source_key for update;
  s := find_source(source_bucket, source_key, source_version);
  if s.version is null or s.delete_marker or s.etag <> source_etag then
    return refusal(7);
  end if;
  perform release_part(u, n);
  insert into upload_parts values (u, n, part_size, part_etag, algorithm, part_checksum);
  if s.extent_count = 1 and part_size > 0 then
    perform add_reference(s.stream);
    perform mark_shared(s);
    insert into upload_extents values (u, n, 0, s.stream, s.stream_size, s.stream_offset + source_offset, part_size);
  elsif s.extent_count > 1 and part_size > 0 then
    for e in
      select greatest(start, source_offset) as first, least(start + length, source_offset + part_size) as last, start, stream,
        stream_size, stream_offset
      from object_extents where manifest = s.manifest and start < source_offset + part_size and start + length > source_offset
      order by object_extents.stream
    loop
      perform add_reference(e.stream);
      insert into upload_extents values (u, n, e.first - source_offset, e.stream, e.stream_size,
        e.stream_offset + e.first - e.start, e.last - e.first);
    end loop;
  end if;
  o.size := part_size;
  o.etag := part_etag;
  return o;
end $$;

create function completed_outcome(u bytea, b bigint, k bytea) returns outcome language plpgsql as $$
declare
  d completed_uploads;
begin
  select * into d from completed_uploads where upload = u and bucket_id = b and key = k;
  if not found then
    return refusal(8);
  end if;
  return row(12::smallint, d.version, d.is_null, d.size, d.etag, false, d.checksum_algorithm, d.checksum_type, d.checksum, ''::text, 0::bigint, 0::bigint, 0::bigint);
end $$;

create function complete_upload(b bigint, settings bigint, u bytea, k bytea, clock bytea, versioning smallint, numbers integer[],
  etags bytea[], new_etag text, algorithm smallint, type smallint, new_checksum bytea, new_size bigint, c conditions,
  default_mode smallint, default_until bigint)
returns outcome language plpgsql as $$
declare
  up uploads;
  n objects;
  o outcome;
  p upload_parts;
  e record;
  at bigint := 0;
  extents integer := 0;
  context smallint := check_context(b, settings, 0);
begin
  if context <> 1 then
    return refusal(context);
  end if;
  select * into up from uploads where id = u and bucket_id = b and key = k for update;
  if not found then
    return completed_outcome(u, b, k);
  end if;
  for i in 2..cardinality(numbers) loop
    if numbers[i] <= numbers[i - 1] then
      return refusal(10);
    end if;
  end loop;
  for i in 1..cardinality(numbers) loop
    select * into p from upload_parts where upload = u and number = numbers[i];
    if not found or convert_to(p.etag, 'UTF8') <> etags[i] then
      return refusal(9, numbers[i]::text);
    end if;
    if i < cardinality(numbers) and p.size < 5242880 then
      return refusal(11, numbers[i]::text);
    end if;
    at := at + p.size;
  end loop;
  if at <> new_size then
    return refusal(9);
  end if;
  if not (c is null) then
    select * into n from objects where bucket_id = b and key = k for update;
    if found then
      context := check_conditions(c, not n.delete_marker, n.etag, n.size, version_ms(n.version));
    else
      context := check_conditions(c, false, null, 0, 0);
    end if;
    if context <> 1 then
      return refusal(context);
    end if;
  end if;

  at := 0;
  for p in select * from upload_parts where upload = u and number = any (numbers) order by number loop
    insert into object_parts values (clock, p.number, at, p.size, p.etag, p.checksum_algorithm, p.checksum);
    for e in select * from upload_extents where upload = u and number = p.number order by start loop
      insert into object_extents values (clock, at + e.start, e.stream, e.stream_size, e.stream_offset, e.length);
      extents := extents + 1;
    end loop;
    at := at + p.size;
  end loop;
  for e in select * from upload_extents where upload = u and number <> all (numbers) order by stream loop
    perform release_stream(e.stream, e.stream_size, true);
  end loop;
  delete from uploads where id = u;

  n := row(b, k, clock, true, false, true, new_size, new_etag, up.owner_account, algorithm, type, new_checksum, up.headers,
           cardinality(numbers), extents, clock, null, null, null, up.acl, up.tags,
           coalesce(up.retain_mode, default_mode), case when up.retain_mode is null then default_until else up.retain_until end,
           up.legal_hold, up.encryption, null, null);
  if extents = 1 then
    delete from object_extents where manifest = clock returning stream, stream_size, stream_offset
      into n.stream, n.stream_size, n.stream_offset;
  end if;
  o := place_version(n, versioning, c);
  if o.status <> 1 then
    raise exception 'conditions changed under the lock' using errcode = '40001';
  end if;
  insert into completed_uploads values (u, b, k, o.version, o.is_null, new_size, new_etag, algorithm, type, new_checksum,
                                        greatest(now(), to_timestamp(version_ms(clock) / 1000.0)));
  perform count_usage(b, o.d_objects, o.d_versions, o.d_bytes);
  o.checksum_algorithm := algorithm;
  o.checksum_type := type;
  o.checksum := new_checksum;
  return o;
end $$;

create function abort_upload(b bigint, u bytea, k bytea) returns smallint language plpgsql as $$
declare
  e upload_extents;
begin
  perform 1 from uploads where id = u and bucket_id = b and key = k for update;
  if not found then
    return 8;
  end if;
  for e in select * from upload_extents where upload = u order by stream loop
    perform release_stream(e.stream, e.stream_size, true);
  end loop;
  delete from uploads where id = u;
  return 1;
end $$;

-- Listing ----------------------------------------------------------------------------------------------------------

-- The smallest byte string above everything that begins with p; null when there is none.
create function after_prefix(p bytea) returns bytea language plpgsql immutable as $$
begin
  for i in reverse length(p) - 1..0 loop
    if get_byte(p, i) < 255 then
      return set_byte(substring(p from 1 for i + 1), i, get_byte(p, i) + 1);
    end if;
  end loop;
  return null;
end $$;

create type listed as (
  key bytea,
  is_prefix boolean,
  version bytea,
  is_null boolean,
  delete_marker boolean,
  latest boolean,
  size bigint,
  etag text,
  owner_account text,
  checksum_algorithm smallint,
  checksum_type smallint
);

-- Keys >= lower (and > lower when exclusive) that begin with prefix, folded at the delimiter, at most `max` entries. A
-- common prefix costs one seek, whatever lies behind it.
create function list_heads(b bigint, prefix bytea, delimiter bytea, lower bytea, exclusive boolean, max integer)
returns setof listed language plpgsql as $$
declare
  upper bytea := after_prefix(prefix);
  from_key bytea := greatest(lower, prefix);
  skip_equal boolean := exclusive and lower >= prefix;
  left_over integer := max;
  r record;
  cut integer;
  folded bytea;
begin
  if length(prefix) = 0 then
    upper := null;
  end if;
  if length(delimiter) = 0 then
    return query
      select o.key, false, o.version, o.is_null, false, true, o.size, o.etag, o.owner_account, o.checksum_algorithm, o.checksum_type
      from objects o
      where o.bucket_id = b and not o.delete_marker and o.key >= from_key and (not skip_equal or o.key <> from_key)
        and (upper is null or o.key < upper)
      order by o.key limit max;
    return;
  end if;
  while left_over > 0 loop
    folded := null;
    for r in
      select o.* from objects o
      where o.bucket_id = b and not o.delete_marker and o.key >= from_key and (not skip_equal or o.key <> from_key)
        and (upper is null or o.key < upper)
      order by o.key limit left_over
    loop
      cut := position(delimiter in substring(r.key from length(prefix) + 1));
      if cut > 0 then
        folded := substring(r.key from 1 for length(prefix) + cut - 1 + length(delimiter));
        return next row(folded, true, null, false, false, true, 0, '', '', null, null)::listed;
        left_over := left_over - 1;
        exit;
      end if;
      return next row(r.key, false, r.version, r.is_null, false, true, r.size, r.etag, r.owner_account, r.checksum_algorithm,
                      r.checksum_type)::listed;
      left_over := left_over - 1;
    end loop;
    if folded is null then
      return;
    end if;
    from_key := after_prefix(folded);
    skip_equal := false;
    if from_key is null then
      return;
    end if;
  end loop;
end $$;

-- All versions, newest first within a key; after (from_key, from_version) when that is given.
create function list_versions(b bigint, prefix bytea, delimiter bytea, lower bytea, exclusive boolean, from_version bytea, max integer)
returns setof listed language plpgsql as $$
declare
  upper bytea := after_prefix(prefix);
  from_key bytea := greatest(lower, prefix);
  skip_equal boolean := exclusive and lower >= prefix;
  below bytea := case when lower >= prefix then from_version end;
  left_over integer := max;
  r record;
  cut integer;
  folded bytea;
begin
  if length(prefix) = 0 then
    upper := null;
  end if;
  while left_over > 0 loop
    folded := null;
    for r in
      select * from (
        (select o.*, true as latest from objects o
         where o.bucket_id = b and o.key >= from_key and (not skip_equal or o.key <> from_key or o.version < below)
           and (upper is null or o.key < upper)
         order by o.key limit left_over)
        union all
        (select v.*, false as latest from versions v
         where v.bucket_id = b and v.key >= from_key and (not skip_equal or v.key <> from_key or v.version < below)
           and (upper is null or v.key < upper)
         order by v.key, v.version desc limit left_over)
      ) both_tables order by key, version desc limit left_over
    loop
      cut := case when length(delimiter) = 0 then 0 else position(delimiter in substring(r.key from length(prefix) + 1)) end;
      if cut > 0 then
        folded := substring(r.key from 1 for length(prefix) + cut - 1 + length(delimiter));
        return next row(folded, true, null, false, false, true, 0, '', '', null, null)::listed;
        left_over := left_over - 1;
        exit;
      end if;
      return next row(r.key, false, r.version, r.is_null, r.delete_marker, r.latest, r.size, r.etag, r.owner_account,
                      r.checksum_algorithm, r.checksum_type)::listed;
      left_over := left_over - 1;
    end loop;
    if folded is null then
      return;
    end if;
    from_key := after_prefix(folded);
    skip_equal := false;
    below := null;
    if from_key is null then
      return;
    end if;
  end loop;
end $$;

create type listed_upload as (
  key bytea,
  is_prefix boolean,
  upload bytea,
  initiator_account text,
  owner_account text,
  checksum_algorithm smallint,
  checksum_type smallint,
  initiated_us bigint
);

-- After (lower, after_upload): uploads of one key are ordered by time and id.
create function list_uploads(b bigint, prefix bytea, delimiter bytea, lower bytea, exclusive boolean, after_upload bytea, max integer)
returns setof listed_upload language plpgsql as $$
declare
  upper bytea := after_prefix(prefix);
  from_key bytea := greatest(lower, prefix);
  skip_equal boolean := exclusive and lower >= prefix;
  marker_time timestamptz;
  left_over integer := max;
  r uploads;
  cut integer;
  folded bytea;
begin
  if length(prefix) = 0 then
    upper := null;
  end if;
  if after_upload is not null then
    select initiated_at into marker_time from uploads where id = after_upload;
  end if;
  while left_over > 0 loop
    folded := null;
    for r in
      select * from uploads u
      where u.bucket_id = b and u.key >= from_key
        and (not skip_equal or u.key <> from_key
             or (marker_time is not null and (u.initiated_at, u.id) > (marker_time, after_upload)))
        and (upper is null or u.key < upper)
      order by u.key, u.initiated_at, u.id limit left_over
    loop
      cut := case when length(delimiter) = 0 then 0 else position(delimiter in substring(r.key from length(prefix) + 1)) end;
      if cut > 0 then
        folded := substring(r.key from 1 for length(prefix) + cut - 1 + length(delimiter));
        return next row(folded, true, null, '', '', null, null, 0)::listed_upload;
        left_over := left_over - 1;
        exit;
      end if;
      return next row(r.key, false, r.id, r.initiator_account, r.owner_account, r.checksum_algorithm, r.checksum_type,
                      (extract(epoch from r.initiated_at) * 1000000)::bigint)::listed_upload;
      left_over := left_over - 1;
    end loop;
    if folded is null then
      return;
    end if;
    from_key := after_prefix(folded);
    skip_equal := false;
    marker_time := null;
    if from_key is null then
      return;
    end if;
  end loop;
end $$;

-- Buckets ----------------------------------------------------------------------------------------------------------

-- 1 ok, 4 not found, 5 not empty (BucketStatus).
create function delete_bucket(b bigint) returns smallint language plpgsql as $$
begin
  perform 1 from buckets where id = b for update;
  if not found then
    return 4;
  end if;
  if exists (select 1 from objects where bucket_id = b) or exists (select 1 from versions where bucket_id = b) then
    return 5;
  end if;
  if exists (select 1 from uploads where bucket_id = b) then
    perform abort_upload(b, u.id, u.key) from (select id, key from uploads where bucket_id = b order by id) u;
  end if;
  delete from buckets where id = b;
  return 1;
end $$;

-- 1 ok, 4 not found. A NULL document removes it. Commits that were decided under the settings before end first, or not at all.
create function set_bucket_setting(b bigint, which smallint, wanted bytea) returns smallint language plpgsql as $$
begin
  perform 1 from buckets where id = b for update;
  if not found then
    return 4;
  end if;
  update buckets set settings_version = settings_version + 1 where id = b;
  if wanted is null then
    delete from bucket_settings where bucket_id = b and kind = which;
  else
    insert into bucket_settings (bucket_id, kind, document) values (b, which, wanted)
      on conflict (bucket_id, kind) do update set document = excluded.document;
  end if;
  return 1;
end $$;

-- 1 ok, 4 not found, 7 wrong state (BucketStatus).
create function set_bucket_versioning(b bigint, wanted smallint) returns smallint language plpgsql as $$
declare
  locked boolean;
begin
  select object_lock into locked from buckets where id = b for update;
  if not found then
    return 4;
  end if;
  if locked and wanted <> 1 then
    return 7;
  end if;
  update buckets set versioning = wanted, settings_version = settings_version + 1 where id = b;
  return 1;
end $$;

create function set_object_lock(b bigint, lock_document bytea) returns smallint language plpgsql as $$
declare
  current smallint;
begin
  select versioning into current from buckets where id = b for update;
  if not found then
    return 4;
  end if;
  if current <> 1 then
    return 7;
  end if;
  update buckets set object_lock = true, settings_version = settings_version + 1 where id = b;
  insert into bucket_settings (bucket_id, kind, document) values (b, 9, lock_document)
    on conflict (bucket_id, kind) do update set document = excluded.document;
  return 1;
end $$;
