-- What keeps a version from being removed. Expired is what is past by the earlier of two clocks,
-- ours and the gateway's (`lock_ms`): one that runs ahead frees nothing.

-- Whether retention or a legal hold keeps a version from being removed now.
create or replace function is_protected(h objects, bypass boolean, lock_ms bigint) returns boolean
language plpgsql as $$
begin
  if (h.attributes).legal_hold then
    return true;
  end if;
  return (h.attributes).retain_mode is not null
    and (h.attributes).retain_until > least(now_ms(), lock_ms)
    and not ((h.attributes).retain_mode = :Retention.kGovernance and bypass);
end $$;

-- kCommitted, or kObjectLocked when what a version has forbids the new retention. An expired one
-- binds nobody.
create or replace function check_retention(
  a attributes, wanted attributes, bypass boolean, lock_ms bigint)
returns smallint language plpgsql as $$
begin
  if a.retain_mode is null or a.retain_until <= least(now_ms(), lock_ms)
      or (a.retain_mode = :Retention.kGovernance and bypass) then
    return :CommitStatus.kCommitted;
  end if;
  if wanted.retain_mode is distinct from a.retain_mode or wanted.retain_until is null
      or wanted.retain_until < a.retain_until then
    return :CommitStatus.kObjectLocked;
  end if;
  return :CommitStatus.kCommitted;
end $$;
