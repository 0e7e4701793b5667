-- Listings: pages of keys, versions and uploads, folded at a delimiter.

-- The smallest byte string above everything that begins with p; null when there is none.
create or replace function after_prefix(p bytea) returns bytea language plpgsql immutable as $$
begin
  for i in reverse length(p) - 1..0 loop
    if get_byte(p, i) < 255 then
      return set_byte(substring(p from 1 for i + 1), i, get_byte(p, i) + 1);
    end if;
  end loop;
  return null;
end $$;

-- All listings are one function over three pages of rows: keys >= lower (and > lower when
-- exclusive) that begin with prefix, folded at the delimiter, at most `max` entries. A common
-- prefix costs one seek, whatever lies behind it. `after`: entries of the key `lower` itself go on
-- behind this version or upload; without one, all of that key are passed over.
--
-- {page} selects entries of type {entry} from `from_key` on: of from_key itself those behind
-- `after` when `skip_equal`, below `upper`, at most `left_over`.
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
        skip_equal := false;
        if from_key is null then
          return;
        end if;
      end loop;
    end $body$ $f$;
  heads constant text := $q$
    select o.key, false, o.version, o.is_null, false, true, o.size, o.etag, o.owner_account,
      o.checksum_algorithm, o.checksum_type
    from objects o
    where o.bucket_id = b and not o.delete_marker and o.key >= from_key
      and (not skip_equal or o.key <> from_key) and (upper is null or o.key < upper)
    order by o.key limit left_over $q$;
  versions constant text := $q$
    select * from (
      (select o.key, false, o.version, o.is_null, o.delete_marker, true, o.size, o.etag,
         o.owner_account, o.checksum_algorithm, o.checksum_type
       from objects o
       where o.bucket_id = b and o.key >= from_key
         and (not skip_equal or o.key <> from_key or o.version < after)
         and (upper is null or o.key < upper)
       order by o.key limit left_over)
      union all
      (select v.key, false, v.version, v.is_null, v.delete_marker, false, v.size, v.etag,
         v.owner_account, v.checksum_algorithm, v.checksum_type
       from versions v
       where v.bucket_id = b and v.key >= from_key
         and (not skip_equal or v.key <> from_key or v.version < after)
         and (upper is null or v.key < upper)
       order by v.key, v.version desc limit left_over)
    ) both_tables order by key, version desc limit left_over $q$;
  -- Uploads of one key are ordered by time and id. Where the one that a page goes on behind is gone,
  -- nothing says what stood before it: all that are left of its key come, some of them perhaps again.
  uploads constant text := $q$
    select u.key, false, u.id, u.initiator_account, u.owner_account, u.checksum_algorithm,
      u.checksum_type, (extract(epoch from u.initiated_at) * 1000000)::bigint
    from uploads u
    where u.bucket_id = b and u.key >= from_key
      and (not skip_equal or u.key <> from_key or coalesce((u.initiated_at, u.id) >
           (select m.initiated_at, m.id from uploads m where m.id = after), after is not null))
      and (upper is null or u.key < upper)
    order by u.key, u.initiated_at, u.id limit left_over $q$;
  text_of text;
  l record;
begin
  for l in
    select * from (values ('list_heads', 'listed_version', heads),
                          ('list_versions', 'listed_version', versions),
                          ('list_uploads', 'listed_upload', uploads)) as l (name, entry, page)
  loop
    text_of := replace(replace(listing, '{name}', l.name), '{entry}', l.entry);
    execute replace(text_of, '{page}', l.page);
  end loop;
end $do$;
