-- Counters of buckets.

-- Adds to the counters of a bucket, in the slot of its backend. Where it is `careful` it waits for
-- nobody who holds that: it takes any that is free, else one more. plpgsql, as a function in SQL is
-- parsed and planned again in each transaction.
create or replace function count_usage(
  b bigint, d_objects bigint, d_versions bigint, d_bytes bigint, careful boolean default true)
returns void language plpgsql as $$
declare
  own smallint := pg_backend_pid() % 16;
begin
  if not careful then
    insert into bucket_usage as u (bucket_id, slot, objects, versions, bytes)
    values (b, own, d_objects, d_versions, d_bytes)
    on conflict on constraint bucket_usage_pkey do update set
      objects = u.objects + excluded.objects,
      versions = u.versions + excluded.versions,
      bytes = u.bytes + excluded.bytes;
    return;
  end if;
  update bucket_usage set objects = objects + d_objects, versions = versions + d_versions,
      bytes = bytes + d_bytes
    where bucket_id = b and slot = (
      select slot from bucket_usage where bucket_id = b and slot = own for update skip locked);
  if found then
    return;
  end if;
  -- It is not there yet, or somebody holds it. Of two that would make it one does.
  if not exists (select from bucket_usage where bucket_id = b and slot = own) then
    if pg_try_advisory_xact_lock(hashint8(b), own) then
      insert into bucket_usage (bucket_id, slot, objects, versions, bytes)
        values (b, own, d_objects, d_versions, d_bytes) on conflict do nothing;
      if found then
        return;
      end if;
    end if;
  end if;
  update bucket_usage set objects = objects + d_objects, versions = versions + d_versions,
      bytes = bytes + d_bytes
    where bucket_id = b and slot = (
      select slot from bucket_usage where bucket_id = b limit 1 for update skip locked);
  if found then
    return;
  end if;
  insert into bucket_usage as u (bucket_id, slot, objects, versions, bytes)
  values (b, 16 + pg_backend_pid() % 32000, d_objects, d_versions, d_bytes)
  on conflict on constraint bucket_usage_pkey do update set
    objects = u.objects + excluded.objects,
    versions = u.versions + excluded.versions,
    bytes = u.bytes + excluded.bytes;
end $$;
