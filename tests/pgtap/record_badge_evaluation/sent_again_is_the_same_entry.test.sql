begin;
select plan(5);

prepare evaluations as select id, duration_ms from public.badge_evaluation_logs;

select tests.act_as('service');
create temporary table sent as select pgtrail.uuid7() as id;
select is(
    public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), duration, p_id => id),
    id, format('recorded with %s ms, the id is returned', duration))
from sent cross join unnest('{3,4}'::int[]) as evaluation (duration);
select results_eq('evaluations', $$ select id, 3 from sent $$, 'two calls with one id are one entry, as first sent');

insert into public.badge_evaluation_logs (id, org_id, peer_mentor_id, duration_ms)
select id, tests.organisation_a(), tests.peer_mentor_a(), 5 from sent
on conflict (id) do nothing;
select results_eq('evaluations', $$ select id, 3 from sent $$, 'so is a direct INSERT of that id');

insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms)
values (tests.organisation_b(), tests.peer_mentor_a(), 6);
select is(
    to_jsonb(entry) - '{id,triggered_at,recorded_at,tx_id}'::text[],
    '{
        "org_id": "b0000000-0000-4000-8000-000000000000",
        "peer_mentor_id": "a0000000-0000-4000-8000-000000000002",
        "activity_id": null, "badges_evaluated": [], "criteria_outcomes": {}, "badges_awarded": [],
        "error_message": null, "duration_ms": 6, "era": 0
    }'::jsonb,
    'a direct INSERT without an id is an entry of its own, with the same defaults')
from public.badge_evaluation_logs as entry where org_id = tests.organisation_b();

select * from finish();
rollback;
