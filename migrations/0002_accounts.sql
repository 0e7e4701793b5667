-- Accounts, their access keys, and the named keys of the key ring.

create table accounts (
  id text primary key check (id ~ '^[0-9]{12}$'),
  canonical_id text not null unique,
  name text not null unique,
  display_name text not null,
  email text not null default '',
  enabled boolean not null default true,
  public_access_block smallint not null default 0,
  created_at timestamptz not null default now()
);
create unique index accounts_email on accounts (email) where email <> '';

create table access_keys (
  access_key text primary key,
  account_id text not null references accounts on delete cascade,
  sealed_secret bytea not null,
  master_key_id bytea not null,
  is_root boolean not null default false,
  enabled boolean not null default true,
  created_at timestamptz not null default now()
);
create index access_keys_account on access_keys (account_id);

-- Material is sealed by the master key; a key's versions stay, so that what was wrapped under an
-- older one still unwraps.
create table kms_keys (
  name text primary key check (length(name) between 1 and 256),
  enabled boolean not null default true,
  change bigint not null,
  created_at timestamptz not null default now()
);

create table kms_key_versions (
  name text not null references kms_keys,
  number integer not null check (number > 0),
  sealed_material bytea not null,
  master_key_id bytea not null,
  created_at timestamptz not null default now(),
  primary key (name, number)
);

-- One row: counts changes of the tables above, so that a gateway asks for what is new.
create table kms_changes (
  value bigint not null
);
insert into kms_changes (value) values (0);
