-- Listings: pages of keys, versions and uploads, folded at a delimiter.

-- The smallest byte string above everything that begins with p. Where there is none, one above
-- every key: a bound that may be NULL would bound no index under a plan that serves both.
create or replace function after_prefix(p bytea) returns bytea language plpgsql immutable as $$
begin
  for i in reverse length(p) - 1..0 loop
    if get_byte(p, i) < 255 then
      return set_byte(substring(p from 1 for i + 1), i, get_byte(p, i) + 1);
    end if;
  end loop;
  return decode(repeat('ff', :Limit.kKeyBytesMax + 1), 'hex');
end $$;

-- When an upload was begun. Of one that is gone its id says so, in its first six bytes: no later
-- than it was.
create or replace function upload_begun(u bytea) returns timestamptz language plpgsql stable as $$
begin
  return coalesce((select initiated_at from uploads where id = u),
                  to_timestamp(version_ms(u) / 1000.0));
end $$;

-- All listings are one function over three pages of rows: keys >= lower (and > lower when
-- exclusive) that begin with prefix, folded at the delimiter, at most `max` entries. A common
-- prefix costs one seek, whatever lies behind it. `after`: entries of the key `lower` itself go on
-- behind this version or upload; without one, all of that key are passed over.
--
-- {rest} selects entries of type {entry} of from_key behind `after`; {page} those of the keys from
-- from_key on and below `upper`, at most `left_over`. Each goes along one index of a table from its
-- first row on, as long as it is asked, and reads no row that it does not answer, under any plan.
do $do$
declare
  listing constant text := $f$
    create or replace function {name}(
      b bigint, prefix bytea, delimiter bytea, lower bytea, exclusive boolean, after bytea,
      max integer)
    returns setof {entry} language plpgsql as $body$
    declare
      upper bytea := after_prefix(prefix);
      from_key bytea := greatest(lower, prefix);
      skip_equal boolean := exclusive and lower >= prefix;
      left_over integer := max;
      r {entry};
      folded {entry};
      cut integer;
    begin
      if skip_equal and after is not null and from_key < upper then
        cut := case when length(delimiter) = 0 then 0
                    else position(delimiter in substring(from_key from length(prefix) + 1)) end;
        for r in {rest} loop
          -- Where the key is folded, what is left of it is an entry of its common prefix.
          if cut > 0 then
            folded.key := substring(r.key from 1 for length(prefix) + cut - 1 + length(delimiter));
            folded.is_prefix := true;
            return next folded;
            left_over := left_over - 1;
            from_key := after_prefix(folded.key);
            skip_equal := false;
            exit;
          end if;
          return next r;
          left_over := left_over - 1;
        end loop;
      end if;
      if skip_equal then
        -- The smallest one above it.
        from_key := from_key || '\x00';
      end if;
      if length(delimiter) = 0 then
        return query {page};
        return;
      end if;
      while left_over > 0 loop
        folded := null;
        for r in {page} loop
          cut := position(delimiter in substring(r.key from length(prefix) + 1));
          if cut > 0 then
            folded.key := substring(r.key from 1 for length(prefix) + cut - 1 + length(delimiter));
            folded.is_prefix := true;
            return next folded;
            left_over := left_over - 1;
            exit;
          end if;
          return next r;
          left_over := left_over - 1;
        end loop;
        if folded.key is null then
          return;
        end if;
        from_key := after_prefix(folded.key);
      end loop;
    end $body$ $f$;
  heads constant text := $q$
    select o.key, false, o.version, o.is_null, false, true, o.size, o.etag, o.owner_account,
      o.checksum_algorithm, o.checksum_type
    from objects o
    where o.bucket_id = b and not o.delete_marker and o.key >= from_key and o.key < upper
    order by o.key limit left_over $q$;
  -- Two tables that are merged as they are read: a limit behind each would read it whole.
  versions constant text := $q$
    select * from (
      (select o.key, false, o.version, o.is_null, o.delete_marker, true, o.size, o.etag,
         o.owner_account, o.checksum_algorithm, o.checksum_type
       from objects o
       where o.bucket_id = b and o.key >= from_key and o.key < upper
       order by o.key, o.version desc)
      union all
      (select v.key, false, v.version, v.is_null, v.delete_marker, false, v.size, v.etag,
         v.owner_account, v.checksum_algorithm, v.checksum_type
       from versions v
       where v.bucket_id = b and v.key >= from_key and v.key < upper
       order by v.key, v.version desc)
    ) both_tables order by key, version desc limit left_over $q$;
  rest_of_versions constant text := $q$
    (select o.key, false, o.version, o.is_null, o.delete_marker, true, o.size, o.etag,
       o.owner_account, o.checksum_algorithm, o.checksum_type
     from objects o
     where o.bucket_id = b and o.key = from_key and o.version < after)
    union all
    (select v.key, false, v.version, v.is_null, v.delete_marker, false, v.size, v.etag,
       v.owner_account, v.checksum_algorithm, v.checksum_type
     from versions v
     where v.bucket_id = b and v.key = from_key and v.version < after
     order by v.version desc limit left_over)
    limit left_over $q$;
  -- Uploads of one key are ordered by time and id.
  uploads constant text := $q$
    select u.key, false, u.id, u.initiator_account, u.owner_account, u.checksum_algorithm,
      u.checksum_type, (extract(epoch from u.initiated_at) * 1000000)::bigint
    from uploads u
    where u.bucket_id = b and u.key >= from_key and u.key < upper
    order by u.key, u.initiated_at, u.id limit left_over $q$;
  rest_of_uploads constant text := $q$
    select u.key, false, u.id, u.initiator_account, u.owner_account, u.checksum_algorithm,
      u.checksum_type, (extract(epoch from u.initiated_at) * 1000000)::bigint
    from uploads u
    where u.bucket_id = b and u.key = from_key
      and (u.initiated_at, u.id) > (upload_begun(after), after)
    order by u.initiated_at, u.id limit left_over $q$;
  -- A current version has nothing behind it.
  rest_of_heads constant text := $q$ select (null::listed_version).* limit 0 $q$;
  text_of text;
  l record;
begin
  for l in
    select * from (values ('list_heads', 'listed_version', heads, rest_of_heads),
                          ('list_versions', 'listed_version', versions, rest_of_versions),
                          ('list_uploads', 'listed_upload', uploads, rest_of_uploads))
      as l (name, entry, page, rest)
  loop
    text_of := replace(replace(listing, '{name}', l.name), '{entry}', l.entry);
    execute replace(replace(text_of, '{page}', l.page), '{rest}', l.rest);
  end loop;
end $do$;
