-- Rows of released streams whose removal could not be finished wait longer each time, and keep what
-- is left of them: the oldest that cannot be finished hold up none that can.

-- `not_before`: when it is tried again; NULL: as soon as a second look has marked it. `tries`: how
-- often that was so. `rest`: the chunks that are left, each a big-endian int4; NULL: all.
alter table released_streams
  add column not_before timestamptz,
  add column tries integer not null default 0,
  add column rest bytea;

-- In the order in which rows become due, so that what waits is not gone through.
create index released_due on released_streams ((coalesce(not_before, checked_at)), id)
  where checked_at is not null;
drop index released_checked;

-- So that who has a ring is not sent it again: its number alone does not name it, since a database
-- that was set back may give one again.
alter table ring_epochs add column table_hash bytea generated always as (sha256(ring_table)) stored;

-- Programs made for fewer migrations call functions that are gone.
update cluster set min_binary = 11;
