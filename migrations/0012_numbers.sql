-- Numbers that gateways compare with what they cached begin at random, or are drawn so: a database
-- that was set back counts again from where it was, and would give a number a second time for
-- something else. By how much they rise: functions/numbers.sql.

alter table buckets alter column id drop identity;
alter table buckets alter column id set default
  ('x' || substr(md5(gen_random_uuid()::text), 1, 15))::bit(60)::bigint + 1;
alter table buckets alter column settings_version set default
  ('x' || substr(md5(gen_random_uuid()::text), 1, 8))::bit(32)::bigint + 1;
update credential_epoch
  set epoch = epoch + ('x' || substr(md5(gen_random_uuid()::text), 1, 8))::bit(32)::bigint;
