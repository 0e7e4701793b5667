-- PUT.

-- A batch of PUTs, one row per key, sorted by (bucket, key), with the attributes of each beside
-- them, or without when none has any. Outcomes in the order given.
--
-- A row that waits (`waits`) does so with all that its batch holds, so that only who sends one row
-- asks for it; rows are placed in their order then. Without, a row that needs what somebody else
-- holds is left out: Held.kBucket, or Held.kKey of its head or of the counts of streams that it
-- would release. That somebody is inserting its key, or holds the counters of the bucket, shows by a
-- wait of 5 ms alone: then the statement fails (lock_not_available) unless it is `careful`, which
-- costs a subtransaction for each run. Then it leaves that row out, too, and counts elsewhere.
-- All that may make an object go in together: a statement for each costs three times as much. Those
-- whose key exists are placed one by one; a condition that needs an object has its turn between two
-- runs.
do $do$
declare
  insert_run constant text := $q$
    with placed_now as (
      insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag,
          owner_account, checksum_algorithm, checksum_type, checksum, headers, extent_count,
          stream, stream_size, stream_offset, attributes, layout)
        select f.bucket_id, key, clock, versioning <> :Versioning.kEnabled, false, size, etag,
          owner_account, checksum_algorithm, checksum_type, checksum, headers,
          (stream is not null)::integer, stream, stream_size, 0,
          attribute_sets[first + nth::integer - 1], layout
        from unnest(rows[first:last]) with ordinality as u (bucket_id, settings, epoch,
          first_ms, key, clock, versioning, size, etag, owner_account, checksum_algorithm,
          checksum_type, checksum, headers, layout, stream, stream_size, if_match,
          if_none_match, nth)
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
  f put_row;
  r put_row;
  o outcome;
  placed outcome := refusal(:CommitStatus.kCommitted);
  n objects := blank_version();
  c conditions;
  g ground;
  oldest bigint := oldest_first_ms();
  held bigint[];
  inserted bytea[];
  inserted_bytes bigint;
  first integer := 1;
  last integer;
  d_objects bigint := 0;
  d_versions bigint := 0;
  d_bytes bigint := 0;
begin
  placed.d_objects := 1;
  placed.d_versions := 1;
  n.stream_offset := 0;
  if not waits then
    perform set_config('lock_timeout', '5ms', true);
    held := held_buckets(case when rows[1].bucket_id = rows[cardinality(rows)].bucket_id
                              then array[rows[1].bucket_id]
                              else array(select distinct bucket_id from unnest(rows)) end);
  end if;
  while first <= cardinality(rows) loop
    -- A run: rows decided under the same that need no object; or one that does, or is too old.
    f := rows[first];
    last := first - 1;
    foreach r in array rows[first:cardinality(rows)] loop
      exit when r.bucket_id <> f.bucket_id or r.settings <> f.settings or r.epoch <> f.epoch
        or ((r.if_match is not null or r.first_ms < oldest) and last >= first);
      last := last + 1;
      exit when r.if_match is not null or r.first_ms < oldest;
    end loop;

    if f.bucket_id = any (held) then
      g.status := :Held.kBucket;
    else
      g := check_context(f.bucket_id, f.settings, f.epoch,
                         case when f.first_ms < oldest then f.first_ms end);
    end if;
    inserted := null;
    if g.status = :CommitStatus.kCommitted and last > first and not waits then
      if careful then
        begin
          {insert};
        exception when lock_not_available then
          -- Somebody inserts one of these keys: they go one by one.
          inserted := null;
          inserted_bytes := 0;
        end;
      else
        {insert};
      end if;
      d_objects := d_objects + coalesce(cardinality(inserted), 0);
      d_versions := d_versions + coalesce(cardinality(inserted), 0);
      d_bytes := d_bytes + coalesce(inserted_bytes, 0);
      if g.recorded then
        perform record_change(f.bucket_id, u.key, u.clock, :Change.kPut::smallint)
          from unnest(rows[first:last]) u where u.clock = any (inserted);
      end if;
    end if;

    if g.status <> :CommitStatus.kCommitted then
      return query select refused.* from generate_series(first, last), refusal(g.status) as refused;
    elsif cardinality(inserted) = last - first + 1 then
      -- The columns of type `outcome`.
      return query
        select :CommitStatus.kCommitted::smallint, u.clock, u.versioning <> :Versioning.kEnabled,
          u.size, u.etag, false, null::smallint, null::smallint, null::bytea, '', 1::bigint,
          1::bigint, u.size
        from unnest(rows[first:last]) u;
    else
      for i in first..last loop
        r := rows[i];
        if r.clock = any (inserted) then
          placed.version := r.clock;
          placed.is_null := r.versioning <> :Versioning.kEnabled;
          placed.size := r.size;
          placed.etag := r.etag;
          placed.d_bytes := r.size;
          return next placed;
          continue;
        end if;
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
        if g.recorded and o.status = :CommitStatus.kCommitted then
          perform record_change(r.bucket_id, r.key, o.version, :Change.kPut::smallint);
        end if;
        d_objects := d_objects + o.d_objects;
        d_versions := d_versions + o.d_versions;
        d_bytes := d_bytes + o.d_bytes;
        return next o;
      end loop;
    end if;

    -- Behind all heads of the bucket, as the order of locks wants it.
    first := last + 1;
    if first > cardinality(rows) or (rows[first]).bucket_id <> f.bucket_id then
      if d_versions <> 0 or d_bytes <> 0 or d_objects <> 0 then
        -- Of many rows it is worth the look whether somebody holds the counters.
        perform count_usage(f.bucket_id, d_objects, d_versions, d_bytes,
                            careful or d_versions > 4);
      end if;
      d_objects := 0;
      d_versions := 0;
      d_bytes := 0;
    end if;
  end loop;
end $body$ $f$, '{insert}', insert_run);
end $do$;
