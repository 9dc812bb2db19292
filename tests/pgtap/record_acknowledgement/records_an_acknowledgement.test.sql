begin;
select plan(7);

select tests.act_as('service');
select public.prepare_audit_backfill('coordinator_acknowledgement_audit', '2026-01-01+00');
select public.record_acknowledgement(
    tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', 'urgent_7',
    p_notification_id => '11111111-1111-4111-8111-111111111111', p_note => 'Course is booked.',
    p_acknowledged_at => '2026-02-03 04:05:06.789+00');
select is(
    to_jsonb(entry) - '{id,acknowledged_at,recorded_at,tx_id,erasure_salt}'::text[],
    '{
        "organisation_id": "a0000000-0000-4000-8000-000000000000",
        "coordinator_id": "a0000000-0000-4000-8000-000000000001",
        "mentor_id": "a0000000-0000-4000-8000-000000000002",
        "certificate_type": "first aid", "threshold_tier": "urgent_7",
        "notification_id": "11111111-1111-4111-8111-111111111111", "note": "Course is booked.", "era": 0
    }'::jsonb,
    'with all that was said')
from public.coordinator_acknowledgement_audit as entry;
select results_eq(
    'select acknowledged_at from public.coordinator_acknowledgement_audit',
    $$ values (timestamptz '2026-02-03 04:05:06.789+00') $$,
    'at the time that was said');
select isnt(erasure_salt, null, 'with a salt, because the note is erasable')
from public.coordinator_acknowledgement_audit;

select public.record_acknowledgement(
    tests.organisation_b(), tests.coordinator_b(), tests.peer_mentor_a(), repeat('x', 200), 'lapsed',
    p_note => repeat('x', 2000));
select results_eq(
    $$
    select notification_id, char_length(certificate_type), char_length(note),
        acknowledged_at between now() - interval '1 minute' and clock_timestamp()
    from public.coordinator_acknowledgement_audit where organisation_id = tests.organisation_b()
    $$,
    $$ values (null::uuid, 200, 2000, true) $$,
    'now, when no time is said, and up to the longest texts');

select tests.act_as('coordinator_a');
select results_eq(
    $$
    select coordinator_id, threshold_tier::text, note, next_page
    from public.get_coordinator_acknowledgement_audit(tests.organisation_a(), p_coordinator_id => tests.coordinator_a())
    $$,
    $$ values (tests.coordinator_a(), 'urgent_7', 'Course is booked.', null::text) $$,
    'a coordinator reads those of the own organisation');
select is_empty(
    $$ select from public.get_coordinator_acknowledgement_audit(tests.organisation_a(), p_coordinator_id => tests.coordinator_b()) $$,
    'and of one coordinator only');
select throws_ok(
    $$ select from public.get_coordinator_acknowledgement_audit(tests.organisation_b()) $$, '42501', null,
    'but not those of another');

select * from finish();
rollback;
