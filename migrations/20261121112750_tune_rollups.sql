set role pgtrail_owner;

-- Retention asks each day which months are old enough for a policy, of whatever organisation.
create index rollup_trail_name_starts_at_organisation_id_idx on pgtrail.rollup (trail_name, starts_at, organisation_id)
    where unit = 'month';

-- Only sealing and recounting write here, and to check this key cost them a third of that.
alter table pgtrail.rollup drop constraint rollup_trail_name_fkey;

-- Counts are handed over as rows now: to make JSON of them, and rows of that again, cost as much as to store them.
drop function pgtrail._fold(jsonb);
drop function pgtrail._count(text, text);

reset role;
