-- PUT.

-- A batch of PUTs, one row per key, sorted by (bucket, key). Outcomes in the order given.
-- All that may make an object go in together: a statement for each costs three times as much. Those
-- whose key exists are locked by that, in their turn, and placed one by one; a condition that needs
-- an object has its turn between two runs. An array that is NULL is one of NULLs.
create or replace function put_objects(
  bucket_ids bigint[], settings bigint[], epochs bigint[], keys bytea[], clocks bytea[],
  versionings smallint[], sizes bigint[], etags text[], owners text[],
  algorithms smallint[] default null, types smallint[] default null,
  checksums bytea[] default null, headers bytea[] default null,
  streams bytea[] default null, stream_sizes bigint[] default null,
  if_match bytea[] default null, if_none_match bytea[] default null,
  attribute_sets attributes[] default null)
returns setof outcome language plpgsql as $$
declare
  o outcome;
  placed outcome := refusal(:CommitStatus.kCommitted);
  n objects := blank_version();
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
  placed.d_objects := 1;
  placed.d_versions := 1;
  while first <= cardinality(keys) loop
    last := first;
    while last < cardinality(keys) and bucket_ids[last + 1] = bucket_ids[first]
        and settings[last + 1] = settings[first] and epochs[last + 1] = epochs[first] loop
      last := last + 1;
    end loop;
    context := check_context(bucket_ids[first], settings[first], epochs[first]);
    answered := first - 1;
    if context <> :CommitStatus.kCommitted then
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
          with placed_now as (
            insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag,
                owner_account, checksum_algorithm, checksum_type, checksum, headers, extent_count,
                stream, stream_size, stream_offset, attributes)
              select bucket_ids[first], k, clock, versioning <> :Versioning.kEnabled, false, bytes,
                tag, owner, algorithm, type, digest, header, (stream is not null)::integer,
                stream, stream_bytes, 0, attribute_sets[i + nth::integer - 1]
              from unnest(keys[i:run_end], clocks[i:run_end], versionings[i:run_end],
                  sizes[i:run_end], etags[i:run_end], owners[i:run_end], algorithms[i:run_end],
                  types[i:run_end], checksums[i:run_end], headers[i:run_end], streams[i:run_end],
                  stream_sizes[i:run_end])
                with ordinality as r(k, clock, versioning, bytes, tag, owner, algorithm, type,
                  digest, header, stream, stream_bytes, nth)
              -- Changes nothing, and locks the row that is there in its turn.
              on conflict (bucket_id, key) do update set lone_marker = null where false
              returning version, size)
            select array_agg(version), sum(size) into inserted, inserted_bytes from placed_now;
          d_objects := d_objects + coalesce(cardinality(inserted), 0);
          d_versions := d_versions + coalesce(cardinality(inserted), 0);
          d_bytes := d_bytes + coalesce(inserted_bytes, 0);
          if cardinality(inserted) = run_end - i + 1 then
            -- The columns of type `outcome`.
            return query
              select :CommitStatus.kCommitted::smallint, clock, versioning <> :Versioning.kEnabled,
                bytes, tag, false, null::smallint, null::smallint, null::bytea, '', 1::bigint,
                1::bigint, bytes
              from unnest(clocks[i:run_end], versionings[i:run_end], sizes[i:run_end],
                  etags[i:run_end]) as r(clock, versioning, bytes, tag);
            answered := run_end;
            continue;
          end if;
        end if;
      end if;
      if i <= run_end and clocks[i] = any (inserted) then
        placed.version := clocks[i];
        placed.is_null := versionings[i] <> :Versioning.kEnabled;
        placed.size := sizes[i];
        placed.etag := etags[i];
        placed.d_bytes := sizes[i];
        return next placed;
        continue;
      end if;
      c := null;
      if if_match[i] is not null or if_none_match[i] is not null then
        c.if_match := if_match[i];
        c.if_none_match := if_none_match[i];
      end if;
      n.bucket_id := bucket_ids[i];
      n.key := keys[i];
      n.version := clocks[i];
      n.size := sizes[i];
      n.etag := etags[i];
      n.owner_account := owners[i];
      n.checksum_algorithm := algorithms[i];
      n.checksum_type := types[i];
      n.checksum := checksums[i];
      n.headers := headers[i];
      n.extent_count := (streams[i] is not null)::integer;
      n.stream := streams[i];
      n.stream_size := stream_sizes[i];
      n.stream_offset := 0;
      n.attributes := attribute_sets[i];
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
