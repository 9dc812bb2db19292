begin;
select plan(4);

select tests.act_as('service');
select public.record_audit_event(tests.organisation_a(), action)
from unnest('{mentor.registered,badge.awarded,badge.awarded}'::text[]) as action;
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'remove', outcome, 'nightly_batch')
from unnest('{success,success,dead_letter}'::public.sync_outcome[]) as outcome;
select public.record_acknowledgement(
    tests.organisation_a(), tests.coordinator_a(), tests.peer_mentor_a(), 'first aid', tier)
from unnest('{lapsed,advance_60,lapsed}'::public.threshold_tier[]) as tier;
select public.record_badge_evaluation(
    tests.organisation_a(), tests.peer_mentor_a(), 1,
    p_badges_evaluated => '["b0000000-0000-4000-8000-000000000001"]',
    p_criteria_outcomes => '{"b0000000-0000-4000-8000-000000000001": true}',
    p_badges_awarded => awarded, p_error_message => error)
from (values
    ('{b0000000-0000-4000-8000-000000000001}'::uuid[], null),
    ('{b0000000-0000-4000-8000-000000000001}', 'notification.timeout'),
    ('{}', null),
    ('{}', null),
    ('{}', 'criteria.timeout')
) as evaluation (awarded, error);

select tests.act_as('coordinator_a');
prepare summary as select bucket, entries from public.get_audit_summary(tests.organisation_a(), $1);
select results_eq(
    $$ execute summary('audit_log') $$, $$ values ('badge.awarded', 2::bigint), ('mentor.registered', 1) $$,
    'actions of audit_log');
select results_eq(
    $$ execute summary('hlf_sync_audit_log') $$, $$ values ('dead_letter', 1::bigint), ('success', 2) $$,
    'outcomes of hlf_sync_audit_log');
select results_eq(
    $$ execute summary('coordinator_acknowledgement_audit') $$,
    $$ values ('advance_60', 1::bigint), ('lapsed', 2) $$,
    'tiers of coordinator_acknowledgement_audit');
select results_eq(
    $$ execute summary('badge_evaluation_logs') $$,
    $$ values ('awarded', 1::bigint), ('failed', 2), ('not_awarded', 2) $$,
    'failed, awarded and not_awarded of badge_evaluation_logs');

select * from finish();
rollback;
