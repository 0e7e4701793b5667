-- What operators change leaves a row in the same transaction.

create or replace function add_audit(action text, subject text, name text, was jsonb, becomes jsonb)
  returns void language sql as $$
  insert into audit (role, program, client, action, subject, name, before, after)
  values (session_user, coalesce(current_setting('application_name', true), ''),
          coalesce(host(inet_client_addr()), 'local'), add_audit.action, add_audit.subject,
          add_audit.name, was, becomes)
$$;

-- What of `a` is another value in `b`.
create or replace function changed_members(a jsonb, b jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_object_agg(key, value), '{}')
  from jsonb_each(a) where value is distinct from b -> key
$$;

-- Arguments of the trigger: what the row is, then the columns that name it.
create or replace function write_audit() returns trigger language plpgsql as $$
declare
  unsaid constant text[] := array['sealed_secret', 'sealed_material', 'master_key_id', 'value',
                                  'ring_table'];
  was jsonb;
  becomes jsonb;
  named text := '';
begin
  if tg_op = 'TRUNCATE' then
    perform add_audit('truncate', tg_argv[0], '', null, null);
    return null;
  end if;
  if tg_op = 'UPDATE' then
    if old is not distinct from new then return null; end if;
  end if;
  if tg_op <> 'INSERT' then was := to_jsonb(old) - unsaid; end if;
  if tg_op <> 'DELETE' then becomes := to_jsonb(new) - unsaid; end if;
  for i in 1 .. tg_nargs - 1 loop
    named := concat_ws(' ', nullif(named, ''), coalesce(becomes, was) ->> tg_argv[i]);
  end loop;
  if tg_op = 'UPDATE' then
    perform add_audit('change', tg_argv[0], named, changed_members(was, becomes),
                      changed_members(becomes, was));
  else
    perform add_audit(case tg_op when 'INSERT' then 'create' else 'delete' end, tg_argv[0], named,
                      was, becomes);
  end if;
  return null;
end $$;

create or replace function keep_audit() returns trigger language plpgsql as $$
begin
  raise exception 'rows of audit are never changed';
end $$;
create or replace trigger audit_kept before update or delete or truncate on audit
  for each statement execute function keep_audit();

create or replace trigger audited after insert or update or delete on accounts
  for each row execute function write_audit('account', 'id', 'name');
create or replace trigger audited after insert or update or delete on access_keys
  for each row execute function write_audit('access key', 'access_key', 'account_id');
create or replace trigger audited after insert or update or delete on kms_keys
  for each row execute function write_audit('kms key', 'name');
create or replace trigger audited after insert or update or delete on kms_key_versions
  for each row execute function write_audit('kms key version', 'name', 'number');
create or replace trigger audited after insert or update or delete on kms_key_owners
  for each row execute function write_audit('kms key owner', 'name');
create or replace trigger audited after insert or update or delete on kms_grants
  for each row execute function write_audit('kms grant', 'name', 'account_id');
create or replace trigger audited after insert or update or delete on key_checks
  for each row execute function write_audit('key check', 'name');
create or replace trigger audited after insert or update or delete on ring_epochs
  for each row execute function write_audit('ring', 'epoch');
create or replace trigger audited after insert or update or delete on cluster
  for each row execute function write_audit('cluster');

-- Gateways say their ages at each start, and nodes their name at each heartbeat.
create or replace trigger audited after update on garbage_collection
  for each row when (old.* is distinct from new.*) execute function write_audit('gc');
create or replace trigger audited_more after insert or delete on garbage_collection
  for each row execute function write_audit('gc');
create or replace trigger audited after update of name on nodes
  for each row when (old.name is distinct from new.name) execute function write_audit('node', 'id');
create or replace trigger audited_more after delete on nodes
  for each row execute function write_audit('node', 'id');

create or replace trigger audited_whole after truncate on accounts
  for each statement execute function write_audit('account');
create or replace trigger audited_whole after truncate on access_keys
  for each statement execute function write_audit('access key');
create or replace trigger audited_whole after truncate on kms_keys
  for each statement execute function write_audit('kms key');
create or replace trigger audited_whole after truncate on kms_key_versions
  for each statement execute function write_audit('kms key version');
create or replace trigger audited_whole after truncate on kms_key_owners
  for each statement execute function write_audit('kms key owner');
create or replace trigger audited_whole after truncate on kms_grants
  for each statement execute function write_audit('kms grant');
create or replace trigger audited_whole after truncate on key_checks
  for each statement execute function write_audit('key check');
create or replace trigger audited_whole after truncate on ring_epochs
  for each statement execute function write_audit('ring');
create or replace trigger audited_whole after truncate on cluster
  for each statement execute function write_audit('cluster');
create or replace trigger audited_whole after truncate on garbage_collection
  for each statement execute function write_audit('gc');
create or replace trigger audited_whole after truncate on nodes
  for each statement execute function write_audit('node');
