-- Credentials: what was taken from one is seen by what it still has under way.

create or replace function raise_credential_epoch() returns trigger language plpgsql as $$
begin
  update credential_epoch set epoch = epoch + random_step();
  return null;
end $$;
create or replace trigger keys_disabled after update of enabled on access_keys
  for each row when (old.enabled and not new.enabled) execute function raise_credential_epoch();
create or replace trigger keys_removed after delete on access_keys
  for each row execute function raise_credential_epoch();
create or replace trigger accounts_disabled after update of enabled on accounts
  for each row when (old.enabled and not new.enabled) execute function raise_credential_epoch();
create or replace trigger accounts_removed after delete on accounts
  for each row execute function raise_credential_epoch();
create or replace trigger key_owners_changed after insert or update or delete on kms_key_owners
  for each row execute function raise_credential_epoch();
create or replace trigger grants_changed after update or delete on kms_grants
  for each row execute function raise_credential_epoch();

-- Whether nothing was taken from credentials since the one of a commit was read under that epoch.
-- Raises otherwise, which rolls the commit back: it is asked when the commit has its locks, so that
-- one which waited for another is refused too. 0: nobody's credential.
create or replace function confirm_credentials(seen bigint) returns boolean language plpgsql as $$
begin
  if seen <> 0 and seen is distinct from (select epoch from credential_epoch) then
    raise exception 'something was taken from credentials' using errcode = 'RC001';
  end if;
  return true;
end $$;

-- The account's block on public access is a setting of each of its buckets: commits that were
-- decided under the one before end first, or not at all.
create or replace function change_account_block() returns trigger language plpgsql as $$
begin
  perform lock_bucket(id) from (
    select id from buckets where owner_account = new.id order by id) b;
  update buckets set settings_version = settings_version + random_step()
    where owner_account = new.id;
  -- And of those it makes.
  update credential_epoch set epoch = epoch + random_step();
  return null;
end $$;
create or replace trigger accounts_block after update of public_access_block on accounts
  for each row when (old.public_access_block <> new.public_access_block)
  execute function change_account_block();

-- What an account may do with named keys, one a line: bits of KmsOperation, and the name. Its own,
-- those it has a grant on, and of the first account also those that are others', with 0: it has all
-- that nobody has.
create or replace function kms_rights(account text) returns text language sql stable as $$
  select string_agg(r.operations || ' ' || r.name, e'\n' order by r.name)
  from (select o.name, case when o.account_id = account then :KmsOperation.kAll
                            else coalesce(g.operations, 0) end as operations
        from kms_key_owners o
        left join kms_grants g on g.name = o.name and g.account_id = account
        where o.account_id = account or g.name is not null or is_first_account(account)) r
$$;

-- Which account is the first is never changed by a clock that was set back.
create or replace function order_accounts() returns trigger language plpgsql as $$
begin
  new.created_at := greatest(
    new.created_at, (select max(created_at) + interval '1 microsecond' from accounts));
  return new;
end $$;
create or replace trigger accounts_ordered before insert on accounts
  for each row execute function order_accounts();

create or replace function is_first_account(account text) returns boolean language sql stable as $$
  select account = (select id from accounts order by created_at, id limit 1)
$$;

-- Credentials carry these rights.
create or replace function notify_rights() returns trigger language plpgsql as $$
begin
  perform pg_notify('rondel_directory', 'a' || coalesce(new.account_id, old.account_id));
  return null;
end $$;
create or replace trigger key_owners_notify after insert or update or delete on kms_key_owners
  for each row execute function notify_rights();
create or replace trigger grants_notify after insert or update or delete on kms_grants
  for each row execute function notify_rights();

-- `wanted` NULL: the key goes. Changes of the keys of one account wait for each other, so that of two
-- that take the last two enabled ones one is refused.
create or replace function change_access_key(k text, wanted boolean, last_too boolean)
  returns smallint language plpgsql as $$
declare
  owner text;
  was boolean;
begin
  select account_id into owner from access_keys where access_key = k;
  perform 1 from accounts where id = owner for no key update;
  select enabled into was from access_keys where access_key = k for update;
  if not found then return :KeyChange.kNotThere; end if;
  if was and wanted is not true and not last_too and not exists (
      select from access_keys where account_id = owner and enabled and access_key <> k) then
    return :KeyChange.kLastKey;
  end if;
  if wanted is null then
    delete from access_keys where access_key = k;
  else
    update access_keys set enabled = wanted where access_key = k;
  end if;
  return :KeyChange.kDone;
end $$;

-- What is kept to know a key by; `mine` when there was nothing. NULL: the oldest secret of this
-- database is sealed by another master key than `sealed_by`, where that is given. Of two that ask first at the same time
-- one is kept, and both are told which.
create or replace function confirm_key_check(which text, mine bytea, sealed_by bytea)
  returns bytea language plpgsql as $$
declare
  kept bytea;
begin
  select value into kept from key_checks where name = which;
  if found then return kept; end if;
  if sealed_by is not null and sealed_by is distinct from coalesce((
      select s.master_key_id from (
        select master_key_id, created_at from access_keys
        union all select master_key_id, created_at from kms_key_versions) s
      order by s.created_at limit 1), sealed_by) then
    return null;
  end if;
  insert into key_checks (name, value) values (which, mine) on conflict do nothing;
  select value into kept from key_checks where name = which;
  return kept;
end $$;
