begin;
select plan(5);

prepare attempts as select id, outcome::text from public.hlf_sync_audit_log;

select tests.act_as('service');
create temporary table sent as select pgtrail.uuid7() as id;
select is(
    public.record_hlf_sync_attempt(
        tests.organisation_a(), tests.peer_mentor_a(), 'remove', outcome, 'nightly_batch', p_id => id),
    id, format('recorded as %s, the id is returned', outcome))
from sent cross join unnest('{success,dead_letter}'::public.sync_outcome[]) as attempt (outcome);
select results_eq('attempts', $$ select id, 'success' from sent $$, 'two calls with one id are one entry, as first sent');

insert into public.hlf_sync_audit_log (id, organisation_id, mentor_id, sync_direction, outcome, source)
select id, tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'dead_letter', 'nightly_batch' from sent
on conflict (id) do nothing;
select results_eq('attempts', $$ select id, 'success' from sent $$, 'so is a direct INSERT of that id');

insert into public.hlf_sync_audit_log (organisation_id, mentor_id, sync_direction, outcome, source)
values (tests.organisation_b(), tests.peer_mentor_a(), 'remove', 'dead_letter', 'nightly_batch');
select is(
    (select retry_count from public.hlf_sync_audit_log where organisation_id = tests.organisation_b()), 0,
    'a direct INSERT without an id is an entry of its own');

select * from finish();
rollback;
