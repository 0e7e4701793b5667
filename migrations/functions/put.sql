-- PUT.

-- A batch of PUTs, one row per key, sorted by (bucket, key), with the attributes of each beside
-- them, or without when none has any. Outcomes in the order given.
--
-- A row that waits (`waits`) does so with all that its batch holds, so that only who sends one row
-- asks for it; rows are placed in their order then. Without, a row that needs what somebody else
-- holds is left out: Held.kBucket, or Held.kKey of its head or of the counts of streams that it
-- would release. That somebody is inserting its key, or holds the counters of the bucket, shows by a
-- wait of 5 ms alone: then the statement fails (lock_not_available) unless it is `careful`, which
-- costs a subtransaction. Then it leaves that row out, too, and counts elsewhere.
--
-- All that may make an object go in together: a statement for each costs three times as much. Those
-- whose key exists, and conditions that need an object, are placed one by one behind them.
do $do$
declare
  insert_new constant text := $q$
    with placed_now as (
      insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag,
          owner_account, checksum_algorithm, checksum_type, checksum, headers, extent_count,
          stream, stream_size, stream_offset, attributes, layout)
        select bucket_id, key, clock, versioning <> :Versioning.kEnabled, false, size, etag,
          owner_account, checksum_algorithm, checksum_type, checksum, headers,
          (stream is not null)::integer, stream, stream_size, 0, attribute_sets[nth], layout
        from unnest(rows) with ordinality as u (bucket_id, settings, epoch,
          first_ms, key, clock, versioning, size, etag, owner_account, checksum_algorithm,
          checksum_type, checksum, headers, layout, stream, stream_size, if_match,
          if_none_match, nth)
        where statuses[nth] = :CommitStatus.kCommitted and if_match is null
        on conflict (bucket_id, key) do nothing
        returning version, size)
      select array_agg(version), sum(size) into inserted, inserted_bytes from placed_now $q$;
begin
execute replace($f$
create or replace function put_objects(
  rows put_row[], attribute_sets attributes[] default null, waits boolean default true,
  careful boolean default true)
returns setof outcome language plpgsql as $body$
declare
  n_rows constant integer := cardinality(rows);
  one_bucket constant boolean := rows[1].bucket_id = rows[n_rows].bucket_id;
  oldest constant bigint := oldest_first_ms();
  r put_row;
  f put_row;
  g ground;
  statuses smallint[];
  recorded boolean[];
  held bigint[];
  inserted bytea[];
  inserted_bytes bigint;
  placed outcome := refusal(:CommitStatus.kCommitted);
  o outcome;
  n objects := blank_version();
  c conditions;
  d_objects bigint := 0;
  d_versions bigint := 0;
  d_bytes bigint := 0;
begin
  if n_rows = 0 then
    return;
  end if;
  if not waits then
    perform set_config('lock_timeout', '5ms', true);
    held := held_buckets(case when one_bucket then array[rows[1].bucket_id]
                              else array(select distinct bucket_id from unnest(rows)) end);
  end if;

  -- What each row is decided under. One that may be too old is asked for itself.
  foreach r in array rows loop
    if f.bucket_id is distinct from r.bucket_id or f.settings <> r.settings or f.epoch <> r.epoch
        or r.first_ms < oldest or f.first_ms < oldest then
      f := r;
      if r.bucket_id = any (held) then
        g := null;
        g.status := :Held.kBucket;
      else
        g := check_context(r.bucket_id, r.settings, r.epoch,
                           case when r.first_ms < oldest then r.first_ms end);
      end if;
    end if;
    statuses := statuses || g.status;
    recorded := recorded || coalesce(g.recorded, false);
  end loop;

  if not waits then
    if careful then
      begin
        {insert};
      exception when lock_not_available then
        -- Somebody inserts one of these keys: they go one by one.
        inserted := null;
      end;
    else
      {insert};
    end if;
    if true = any (recorded) then
      perform record_change(u.bucket_id, u.key, u.clock, :Change.kPut::smallint)
        from unnest(rows) with ordinality as u (bucket_id, settings, epoch, first_ms, key, clock,
          versioning, size, etag, owner_account, checksum_algorithm, checksum_type, checksum,
          headers, layout, stream, stream_size, if_match, if_none_match, nth)
        where recorded[nth] and u.clock = any (inserted);
    end if;
  end if;

  if one_bucket and cardinality(inserted) = n_rows then
    -- The columns of type `outcome`.
    return query
      select :CommitStatus.kCommitted::smallint, u.clock, u.versioning <> :Versioning.kEnabled,
        u.size, u.etag, false, null::smallint, null::smallint, null::bytea, '', 1::bigint,
        1::bigint, u.size
      from unnest(rows) u;
    -- Of many rows it is worth the look whether somebody holds the counters.
    perform count_usage(rows[1].bucket_id, n_rows, n_rows, inserted_bytes, careful or n_rows > 4);
    return;
  end if;

  placed.d_objects := 1;
  placed.d_versions := 1;
  n.stream_offset := 0;
  for i in 1..n_rows loop
    r := rows[i];
    if statuses[i] <> :CommitStatus.kCommitted then
      return next refusal(statuses[i]);
    elsif r.clock = any (inserted) then
      placed.version := r.clock;
      placed.is_null := r.versioning <> :Versioning.kEnabled;
      placed.size := r.size;
      placed.etag := r.etag;
      placed.d_bytes := r.size;
      d_objects := d_objects + 1;
      d_versions := d_versions + 1;
      d_bytes := d_bytes + r.size;
      return next placed;
    else
      n.bucket_id := r.bucket_id;
      n.key := r.key;
      n.version := r.clock;
      n.size := r.size;
      n.etag := r.etag;
      n.owner_account := r.owner_account;
      n.checksum_algorithm := r.checksum_algorithm;
      n.checksum_type := r.checksum_type;
      n.checksum := r.checksum;
      n.headers := r.headers;
      n.extent_count := (r.stream is not null)::integer;
      n.layout := r.layout;
      n.stream := r.stream;
      n.stream_size := r.stream_size;
      n.attributes := attribute_sets[i];
      c.if_match := r.if_match;
      c.if_none_match := r.if_none_match;
      o := place_version(n, r.versioning, c, waits, careful);
      if recorded[i] and o.status = :CommitStatus.kCommitted then
        perform record_change(r.bucket_id, r.key, o.version, :Change.kPut::smallint);
      end if;
      d_objects := d_objects + o.d_objects;
      d_versions := d_versions + o.d_versions;
      d_bytes := d_bytes + o.d_bytes;
      return next o;
    end if;

    -- Behind all heads of the bucket, as the order of locks wants it.
    if i = n_rows or rows[i + 1].bucket_id <> r.bucket_id then
      if d_versions <> 0 or d_bytes <> 0 or d_objects <> 0 then
        perform count_usage(r.bucket_id, d_objects, d_versions, d_bytes,
                            careful or d_versions > 4);
      end if;
      d_objects := 0;
      d_versions := 0;
      d_bytes := 0;
    end if;
  end loop;
end $body$ $f$, '{insert}', insert_new);
end $do$;
