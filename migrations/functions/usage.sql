-- Counters of buckets.

-- plpgsql, as a function in SQL is parsed and planned again in each transaction.
create or replace function count_usage(
  b bigint, d_objects bigint, d_versions bigint, d_bytes bigint)
returns void language plpgsql as $$
begin
  insert into bucket_usage as u (bucket_id, slot, objects, versions, bytes)
  values (b, pg_backend_pid() % 16, d_objects, d_versions, d_bytes)
  on conflict on constraint bucket_usage_pkey do update set
    objects = u.objects + excluded.objects,
    versions = u.versions + excluded.versions,
    bytes = u.bytes + excluded.bytes;
end $$;
