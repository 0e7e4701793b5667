-- Functions made of the fields of type `attributes`:
-- :columns(attributes)
-- (The line above is replaced by their names: this file is another text when there is another.)

-- attributes_N(a_FIELD => value, ...) makes one of its first N fields, NULL when all of them are
-- NULL. Its name carries their number: when a field is added, what was called before stays, and
-- leaves the new one NULL. In SQL, so that it costs the caller nothing.
do $do$
declare
  fewest constant integer := 6;
  made record;
begin
  for made in
    select n,
      string_agg(format('a_%I %s', attname, format_type(atttypid, null)), ', ' order by attnum)
        filter (where attnum <= n) as parameters,
      string_agg(format('a_%I', attname), ', ' order by attnum) filter (where attnum <= n) as given,
      string_agg(case when attnum <= n then format('a_%I', attname) else 'null' end, ', '
                 order by attnum) as fields
    from pg_attribute,
      generate_series(fewest, (select relnatts from pg_class where oid = 'attributes'::regclass)) n
    where attrelid = 'attributes'::regclass and attnum > 0
    group by n
  loop
    execute format($f$
      create or replace function attributes_%s(%s) returns attributes language sql immutable as $b$
        select case when num_nonnulls(%s) > 0 then row(%s)::attributes end
      $b$ $f$, made.n, made.parameters, made.given, made.fields);
  end loop;
end $do$;

-- `old` with the fields named in `changed` from `wanted`.
do $do$
declare
  assignments text;
begin
  select string_agg(
    format('if %1$L = any (changed) then old.%1$I := wanted.%1$I; end if;', attname),
    ' ' order by attnum)
  into assignments
  from pg_attribute where attrelid = 'attributes'::regclass and attnum > 0 and not attisdropped;
  execute format($f$
    create or replace function change_attributes(
      old attributes, wanted attributes, changed text[])
    returns attributes language plpgsql immutable as $b$
    begin
      %s
      return case when old is null then null else old end;
    end $b$ $f$, assignments);
end $do$;
