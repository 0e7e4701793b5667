-- Times and version ids.

create or replace function now_ms() returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

-- Milliseconds since 1970: the first 48 bits of a version id.
create or replace function version_ms(version bytea) returns bigint language sql immutable as $$
  select (get_byte(version, 0)::bigint << 40) | (get_byte(version, 1)::bigint << 32)
    | (get_byte(version, 2)::bigint << 24) | (get_byte(version, 3)::bigint << 16)
    | (get_byte(version, 4)::bigint << 8) | get_byte(version, 5)
$$;

-- greatest(mine, head + 1): order of versions = order of commits even with skewed clocks.
create or replace function next_version(head bytea, mine bytea) returns bytea
language plpgsql immutable as $$
declare
  clock bigint;
begin
  if head is null or mine > head then
    return mine;
  end if;
  clock := (version_ms(head) << 16) | (get_byte(head, 6)::bigint << 8) | get_byte(head, 7);
  return int8send(clock + 1) || substring(mine from 9);
end $$;
