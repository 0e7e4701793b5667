-- Numbers that name a state, for who compares them with one he has seen.

-- By how much such a number rises: 1 to 2^32. So it rises, and is not given again when the database
-- was set back to before it.
create or replace function random_step() returns bigint language sql volatile as $$
  select ('x' || substr(md5(gen_random_uuid()::text), 1, 8))::bit(32)::bigint + 1
$$;
