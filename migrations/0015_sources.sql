-- What a copy is made of, as it was read, and what reading it was decided under. `settings`: of its
-- bucket; 0 = nobody asked. `access`: what access_of() said; NULL = nobody asked.
create type copy_source as (
  bucket_id bigint,
  settings bigint,
  key bytea,
  version bytea,
  etag text,
  access bytea
);

-- Gateways of before call other functions.
update cluster set min_binary = 15;

drop function if exists copy_object(bigint, bigint, bytea, bytea, smallint, text, text, smallint,
  smallint, bytea, bytea, bigint, bigint, bytea, bytea, text, conditions, attributes);
drop function if exists copy_part(bigint, bigint, bytea, bytea, integer, bigint, text, smallint,
  bytea, bigint, bigint, bytea, bytea, text, bigint);
drop function if exists put_part(bigint, bigint, bigint, bigint, bytea, bytea, integer, bigint,
  text, smallint, bytea, smallint, bytea, bigint);
drop function if exists rename_object(bigint, bigint, bytea, bytea, bytea, conditions, conditions,
  bytea, bytea);
drop function if exists update_version(bigint, bigint, bytea, smallint, bytea, text, text[],
  boolean, attributes, bigint);
drop function if exists check_contexts(bigint, bigint, bigint, bigint);
