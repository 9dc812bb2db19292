begin;
select plan(12);

select tests.act_as('service');
select public.prepare_audit_backfill('audit_log', '2026-01-01+00');
select public.record_audit_event(
    tests.organisation_a(), action, entity_type, entity_id, actor_id, p_occurred_at => at)
from (values
    ('mentor.registered', 'mentor', 'm1', 'ada', timestamptz '2026-01-31 23:59:59.999+00'),
    ('mentor.updated', 'mentor', 'm1', 'bo', '2026-02-01 00:00:00.000+00'),
    ('badge.awarded', 'badge', 'm1', 'ada', '2026-02-01 00:00:00.001+00'),
    ('mentor.updated', 'mentor', 'm2', null, '2026-03-01 12:00:00.000+00')
) as event (action, entity_type, entity_id, actor_id, at);
select public.record_audit_event(tests.organisation_b(), 'mentor.updated', 'mentor', 'm1', 'ada');

select tests.act_as('coordinator_a');
prepare page as
    select string_agg(action || ' ' || entity_id, ', ') from public.get_audit_log(tests.organisation_a());
select results_eq('page', $$ values ('mentor.updated m2, badge.awarded m1, mentor.updated m1, mentor.registered m1') $$,
    'the newest comes first, and only of the organisation');
select results_eq(
    $$ select action from public.get_audit_log(tests.organisation_a(), p_from_date => '2026-02-01+00', p_to_date => '2026-02-01 00:00:00.001+00') $$,
    $$ values ('mentor.updated') $$, 'from is included, to is not');
select results_eq(
    $$ select action from public.get_audit_log(tests.organisation_a(), p_to_date => '2026-02-01+00') $$,
    $$ values ('mentor.registered') $$, 'from may be open');
select results_eq(
    $$ select action from public.get_audit_log(tests.organisation_a(), p_from_date => '2026-02-01 00:00:00.0005+00', p_to_date => 'infinity') $$,
    $$ values ('mentor.updated'), ('badge.awarded') $$, 'bounds between two milliseconds do not take the earlier one');
select results_eq(
    $$ select entity_id from public.get_audit_log(tests.organisation_a(), p_actor_id => 'ada') $$,
    $$ values ('m1'), ('m1') $$, 'by actor');
select results_eq(
    $$ select action from public.get_audit_log(tests.organisation_a(), p_entity_type => 'mentor', p_entity_id => 'm1') $$,
    $$ values ('mentor.updated'), ('mentor.registered') $$, 'by entity');
select results_eq(
    $$ select action from public.get_audit_log(tests.organisation_a(), p_entity_id => 'm1', p_actor_id => 'ada', p_action => 'badge.awarded') $$,
    $$ values ('badge.awarded') $$, 'by several at once');
select is_empty(
    $$ select from public.get_audit_log(tests.organisation_a(), p_actor_id => 'nobody') $$, 'by none that match');
select results_eq(
    $$ select occurred_at, actor_kind, database_role from public.get_audit_log(tests.organisation_a(), p_action => 'mentor.registered') $$,
    $$ values (timestamptz '2026-01-31 23:59:59.999+00', 'user', 'service_role') $$, 'times are those of the event');
select throws_ok(format('select public.get_audit_log(%L)', tests.organisation_b()), '42501');
select throws_ok(format('select public.get_audit_log(%L)', tests.platform_organisation()), '42501');
select tests.act_as('auditor');
select is((select count(*) from public.get_audit_log(tests.organisation_b())), 1::bigint, 'the auditor reads every organisation');

select * from finish();
rollback;
