-- How far time had come by what gateways go by for ages, so that one that starts goes on from
-- there: the clocks of gateway and database may have been set meanwhile. `boot` names a run of a
-- machine, `boot_us` is its time when the row was written; `accepted`: `clocks_accepted` then. Rows of
-- before the last one count no more. What was noticed of clocks that jumped: for how long gateway and
-- database have been seen to agree on an earlier time, and how much of a jump ahead was followed.
create table ages_reached (
  boot text primary key,
  boot_us bigint not null,
  reached_us bigint not null,
  accepted bigint not null,
  set_back_for_us bigint not null,
  caught_up_us bigint not null,
  told_at timestamptz not null default now()
) with (fillfactor = 50);

-- Rises when an operator says that the clocks are right.
alter table garbage_collection add column clocks_accepted bigint not null default 0;
