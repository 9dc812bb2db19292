begin;
select plan(7);

select tests.act_as('service');
select public.prepare_audit_backfill('badge_evaluation_logs', '2026-01-01+00');
select public.record_badge_evaluation(
    tests.organisation_a(), tests.peer_mentor_a(), 12,
    p_activity_id => '11111111-1111-4111-8111-111111111111',
    p_badges_evaluated => '["b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002"]',
    p_criteria_outcomes => '{"b0000000-0000-4000-8000-000000000001": true, "b0000000-0000-4000-8000-000000000002": false}',
    p_badges_awarded => '{b0000000-0000-4000-8000-000000000001}',
    p_error_message => 'notification.timeout',
    p_triggered_at => '2026-02-03 04:05:06.789+00');
select is(
    to_jsonb(entry) - '{id,triggered_at,recorded_at,tx_id}'::text[],
    '{
        "org_id": "a0000000-0000-4000-8000-000000000000",
        "peer_mentor_id": "a0000000-0000-4000-8000-000000000002",
        "activity_id": "11111111-1111-4111-8111-111111111111",
        "badges_evaluated": ["b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002"],
        "criteria_outcomes": {
            "b0000000-0000-4000-8000-000000000001": true,
            "b0000000-0000-4000-8000-000000000002": false
        },
        "badges_awarded": ["b0000000-0000-4000-8000-000000000001"],
        "error_message": "notification.timeout", "duration_ms": 12, "era": 0
    }'::jsonb,
    'with all that was said')
from public.badge_evaluation_logs as entry;
select results_eq(
    'select triggered_at from public.badge_evaluation_logs', $$ values (timestamptz '2026-02-03 04:05:06.789+00') $$,
    'at the time that was said');

select public.record_badge_evaluation(
    tests.organisation_b(), tests.peer_mentor_a(), 1,
    p_badges_evaluated => null, p_criteria_outcomes => null, p_badges_awarded => null);
select is(
    to_jsonb(entry) - '{id,triggered_at,recorded_at,tx_id}'::text[],
    '{
        "org_id": "b0000000-0000-4000-8000-000000000000",
        "peer_mentor_id": "a0000000-0000-4000-8000-000000000002",
        "activity_id": null, "badges_evaluated": [], "criteria_outcomes": {}, "badges_awarded": [],
        "error_message": null, "duration_ms": 1, "era": 0
    }'::jsonb,
    'null badges and outcomes are none')
from public.badge_evaluation_logs as entry where org_id = tests.organisation_b();
select ok(
    triggered_at between now() - interval '1 minute' and clock_timestamp(),
    'an evaluation without a time happened now')
from public.badge_evaluation_logs where org_id = tests.organisation_b();

select tests.act_as('coordinator_a');
select results_eq(
    $$
    select peer_mentor_id, badges_awarded, duration_ms, next_page
    from public.get_badge_evaluation_logs(tests.organisation_a(), p_peer_mentor_id => tests.peer_mentor_a())
    $$,
    $$ values (tests.peer_mentor_a(), '{b0000000-0000-4000-8000-000000000001}'::uuid[], 12, null::text) $$,
    'a coordinator reads those of the own organisation');
select is_empty(
    $$ select from public.get_badge_evaluation_logs(tests.organisation_a(), p_peer_mentor_id => tests.outsider()) $$,
    'and of one mentor only');
select throws_ok(
    $$ select from public.get_badge_evaluation_logs(tests.organisation_b()) $$, '42501', null,
    'but not those of another');

select * from finish();
rollback;
