-- References to streams: who counts them, and how the last one goes to the queue.

create or replace function release_stream(s bytea, stream_bytes bigint, maybe_shared boolean)
returns void language plpgsql as $$
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

create or replace function add_reference(s bytea) returns void language sql as $$
  insert into shared_streams (stream, refs) values (s, 2)
  on conflict (stream) do update set refs = shared_streams.refs + 1
$$;

create or replace function mark_shared(s objects) returns void language sql as $$
  update objects set shared = true
    where bucket_id = s.bucket_id and key = s.key and version = s.version and not shared;
  update versions set shared = true
    where bucket_id = s.bucket_id and key = s.key and version = s.version and not shared;
$$;

-- Locks what is counted of the streams of two versions, in the order of streams: one gets
-- references, the other may lose its own.
create or replace function lock_counts(s objects, t objects) returns void language plpgsql as $$
begin
  perform 1 from shared_streams where stream in (
      select stream from object_extents where manifest in (s.manifest, t.manifest)
      union select s.stream union select t.stream)
    order by stream for update;
end $$;

-- Whether nobody else holds the counts of the version's streams; then they are locked, so that it
-- is released without waiting.
create or replace function counts_are_free(h objects) returns boolean language plpgsql as $$
declare
  streams bytea[];
begin
  if h.extent_count > 1 then
    streams := array(select stream from object_extents where manifest = h.manifest);
  elsif h.shared then
    streams := array[h.stream];
  else
    return true;
  end if;
  perform 1 from shared_streams where stream = any (streams) order by stream for update nowait;
  return true;
exception when lock_not_available then
  return false;
end $$;

create or replace function release_version(h objects) returns void language plpgsql as $$
declare
  e object_extents;
begin
  if h.extent_count = 1 then
    perform release_stream(h.stream, h.stream_size, h.shared);
  elsif h.extent_count > 1 then
    for e in
      with gone as (delete from object_extents where manifest = h.manifest returning *)
      select * from gone order by stream
    loop
      perform release_stream(e.stream, e.stream_size, true);
    end loop;
  end if;
  if h.part_count > 0 then
    delete from object_parts where manifest = h.manifest;
  end if;
end $$;
