-- What is decided is what is committed: a change of settings carries the version that it was decided
-- under, as commits do; one number counts what was taken from credentials; keys that objects are
-- encrypted under have owners and grants.
-- Programs made for fewer migrations call functions that are gone.

update cluster set min_binary = 9;

-- One row. Rises with whatever is taken away: a key that is disabled or removed, an account that is
-- disabled, a grant on a key. A commit is refused when it is another one than its credential was
-- read under.
create table credential_epoch (
  one boolean primary key default true check (one),
  epoch bigint not null
) with (fillfactor = 10);
insert into credential_epoch (epoch) values (1);

drop function if exists raise_own_credential_epoch() cascade;
alter table accounts drop column credential_epoch;

-- Whose a named key is, of the key ring or of Vault. A name without a row is the first account's.
create table kms_key_owners (
  name text primary key check (name ~ '^[a-zA-Z0-9_./:-]+$' and length(name) <= 256),
  account_id text not null references accounts on delete cascade
);
create index kms_key_owners_account on kms_key_owners (account_id);
create index accounts_first on accounts (created_at, id);

-- `operations`: bits of KmsOperation.
create table kms_grants (
  name text not null references kms_key_owners on delete cascade,
  account_id text not null references accounts on delete cascade,
  operations smallint not null check (operations > 0),
  primary key (name, account_id)
);
create index kms_grants_account on kms_grants (account_id);

-- What has other parameters now.
drop function if exists set_bucket_setting(bigint, smallint, bytea);
drop function if exists set_bucket_versioning(bigint, smallint);
drop function if exists set_object_lock(bigint, bytea);
drop function if exists delete_bucket(bigint);
drop function if exists put_part(bigint, bigint, bigint, bytea, bytea, integer, bigint, text,
  smallint, bytea, smallint, bytea, bigint);
drop function if exists copy_part(bigint, bytea, bytea, integer, bigint, text, smallint, bytea,
  bigint, bytea, bytea, text, bigint);
drop function if exists copy_object(bigint, bigint, bytea, bytea, smallint, text, text, smallint,
  smallint, bytea, bytea, bigint, bytea, bytea, text, conditions, attributes);
