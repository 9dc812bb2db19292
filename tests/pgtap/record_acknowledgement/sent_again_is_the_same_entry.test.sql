begin;
select plan(5);

prepare acknowledgements as select id, threshold_tier::text from public.coordinator_acknowledgement_audit;

select tests.act_as('service');
create temporary table sent as select pgtrail.uuid7() as id;
select is(
    public.record_acknowledgement(
        tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', tier, p_id => id),
    id, format('recorded as %s, the id is returned', tier))
from sent cross join unnest('{advance_60,lapsed}'::public.threshold_tier[]) as acknowledgement (tier);
select results_eq(
    'acknowledgements', $$ select id, 'advance_60' from sent $$, 'two calls with one id are one entry, as first sent');

insert into public.coordinator_acknowledgement_audit (
    id, organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier)
select id, tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', 'lapsed' from sent
on conflict (id) do nothing;
select results_eq('acknowledgements', $$ select id, 'advance_60' from sent $$, 'so is a direct INSERT of that id');

insert into public.coordinator_acknowledgement_audit (
    organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier)
values (tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', 'lapsed');
select is(
    (select count(*) from public.coordinator_acknowledgement_audit), 2::bigint,
    'a direct INSERT without an id is an entry of its own');

select * from finish();
rollback;
