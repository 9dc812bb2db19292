begin;
select plan(8);

prepare attempt as select to_jsonb(entry) - '{id,attempted_at,recorded_at,tx_id}'::text[] from public.hlf_sync_audit_log as entry;

select tests.act_as('service');
select public.prepare_audit_backfill('hlf_sync_audit_log', '2026-01-01+00');
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'restore', 'retryable_failure', 'force_sync',
    p_portal_response_code => 503, p_retry_count => 2, p_error_code => 'portal.timeout',
    p_sync_job_id => '11111111-1111-4111-8111-111111111111', p_requested_by => 'ida',
    p_attempted_at => '2026-02-03 04:05:06.789+00');
select results_eq('attempt', $$ values ('{
    "organisation_id": "a0000000-0000-4000-8000-000000000000",
    "mentor_id": "a0000000-0000-4000-8000-000000000002",
    "sync_direction": "restore", "outcome": "retryable_failure", "source": "force_sync",
    "portal_response_code": 503, "retry_count": 2, "error_code": "portal.timeout",
    "sync_job_id": "11111111-1111-4111-8111-111111111111", "requested_by": "ida", "era": 0
}'::jsonb) $$, 'with all that was said');
select results_eq(
    'select attempted_at from public.hlf_sync_audit_log', $$ values (timestamptz '2026-02-03 04:05:06.789+00') $$,
    'at the time that was said');
select is(
    (select id from public.hlf_sync_audit_log),
    public.record_hlf_sync_attempt(
        tests.organisation_a(), tests.peer_mentor_a(), 'restore', 'success', 'force_sync',
        p_id => (select id from public.hlf_sync_audit_log)),
    'the id is returned');

select public.record_hlf_sync_attempt(
    tests.organisation_b(), tests.peer_mentor_a(), 'remove', 'success', 'nightly_batch', p_retry_count => null);
select is(
    to_jsonb(entry) - '{id,attempted_at,recorded_at,tx_id}'::text[],
    '{
        "organisation_id": "b0000000-0000-4000-8000-000000000000",
        "mentor_id": "a0000000-0000-4000-8000-000000000002",
        "sync_direction": "remove", "outcome": "success", "source": "nightly_batch",
        "portal_response_code": null, "retry_count": 0, "error_code": null, "sync_job_id": null,
        "requested_by": null, "era": 0
    }'::jsonb,
    'what is not said is null, and the first attempt has no retries')
from public.hlf_sync_audit_log as entry where organisation_id = tests.organisation_b();
select ok(
    attempted_at between now() - interval '1 minute' and clock_timestamp() and recorded_at >= attempted_at,
    'an attempt without a time happened now')
from public.hlf_sync_audit_log where organisation_id = tests.organisation_b();

prepare errors as
    select portal_response_code::int, outcome::text, error_code::text
    from public.hlf_sync_audit_log where requested_by = 'errors';
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'remove', event.outcome, 'reconciliation',
    p_portal_response_code => event.status, p_error_code => event.error, p_requested_by => 'errors')
from (values
    ('dead_letter'::public.sync_outcome, 404, null),
    ('retryable_failure', 429, null),
    ('retryable_failure', 503, null),
    ('retryable_failure', 503, '57014'),
    ('retryable_failure', null, null),
    ('success', 200, null),
    ('success', 404, null),
    ('dead_letter', null, 'connect ECONNREFUSED 10.0.0.7:443')
) as event (outcome, status, error);
select bag_eq('errors', $$ values
    (404, 'dead_letter', 'portal.not_found'),
    (429, 'retryable_failure', 'portal.rate_limited'),
    (503, 'retryable_failure', 'portal.unavailable'),
    (503, 'retryable_failure', 'portal.timeout'),
    (null, 'retryable_failure', null),
    (200, 'success', null),
    (404, 'success', null),
    (null, 'dead_letter', 'portal.unknown') $$,
    'the error is taken from the response of a failure, unless it is given, and is always of the vocabulary');

select tests.act_as('coordinator_a');
select is(
    (select count(*) from public.get_hlf_sync_audit(tests.organisation_a())), 9::bigint,
    'a coordinator reads the attempts of the own organisation');
select is(
    (select array_agg(outcome::text || ' ' || retry_count)
    from public.get_hlf_sync_audit(tests.organisation_a(), p_to_date => '2026-03-01+00', p_outcome => 'retryable_failure')),
    '{retryable_failure 2}', 'by time and outcome too');

select * from finish();
rollback;
