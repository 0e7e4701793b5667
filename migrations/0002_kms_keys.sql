-- Named keys of the key ring. Material is sealed by the master key; a key's versions stay, so that what was wrapped under an
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

insert into kms_changes values (0);
