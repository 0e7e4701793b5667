-- What operators changed, and by what a program knows that it has the keys of this cluster.

-- Written by triggers, in the transaction of the change, whoever makes it. Rows are never changed.
-- `role`, `program`, `client`: session_user, application_name and address of the session.
-- `before`, `after`: of a change only the columns that differ; secrets never.
create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  role text not null,
  program text not null,
  client text not null,
  action text not null check (action in ('create', 'change', 'delete', 'truncate')),
  subject text not null,
  name text not null,
  before jsonb,
  after jsonb
);

-- One row a key: 'master' holds an HMAC of the cluster's id under the master key, 'vault' something
-- that Vault wrapped. Written at first use.
create table key_checks (
  name text primary key,
  value bytea not null,
  made_at timestamptz not null default now()
);
