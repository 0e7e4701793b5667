-- Accounts and access keys: what was taken from a key is seen by what it still has under way.

-- An account's credential epoch rises with each key that is disabled or removed.
create or replace function raise_credential_epoch() returns trigger language plpgsql as $$
begin
  update accounts set credential_epoch = credential_epoch + 1 where id = old.account_id;
  return null;
end $$;
create or replace trigger keys_disabled after update of enabled on access_keys
  for each row when (old.enabled and not new.enabled) execute function raise_credential_epoch();
create or replace trigger keys_removed after delete on access_keys
  for each row execute function raise_credential_epoch();

-- And with the account itself.
create or replace function raise_own_credential_epoch() returns trigger language plpgsql as $$
begin
  new.credential_epoch := old.credential_epoch + 1;
  return new;
end $$;
create or replace trigger accounts_disabled before update of enabled on accounts
  for each row when (old.enabled and not new.enabled)
  execute function raise_own_credential_epoch();
