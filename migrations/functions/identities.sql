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
create or replace trigger key_owners_changed after update or delete on kms_key_owners
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
  perform 1 from buckets where owner_account = new.id order by id for update;
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
