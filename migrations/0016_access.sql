-- A version's owner is part of what decides who may have it, and gateways of before do not say it.
update cluster set min_binary = 16;

drop function if exists access_of(attributes);
