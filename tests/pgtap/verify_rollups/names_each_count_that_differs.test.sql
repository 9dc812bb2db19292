begin;
select plan(15);

select tests.act_as('service');
select public.prepare_audit_backfill('hlf_sync_audit_log', '2026-01-01+00');
select public.record_hlf_sync_attempt(
    organisation, tests.peer_mentor_a(), 'remove', outcome, 'nightly_batch', p_attempted_at => at)
from (values
    (tests.organisation_a(), 'success'::public.sync_outcome, timestamptz '2026-01-31 23:59+00'),
    (tests.organisation_a(), 'dead_letter', '2026-02-01 00:00+00'),
    (tests.organisation_b(), 'success', '2026-02-01 00:30+00')
) as attempt (organisation, outcome, at);
-- The position of the log is put behind the entries of this transaction, which is all that counting looks at.
select tests.act_as_owner();
update pgtrail.log set tx_id = pg_current_xact_id(), trail_name = '~';
select pgtrail.recount('public.hlf_sync_audit_log');

prepare found as
    select trail_name, organisation_id, unit, starts_at, bucket, stored, counted
    from pgtrail.verify_rollups() order by unit, starts_at;
select tests.act_as('auditor');
select is_empty('found', 'no row when the counts are exact');

select tests.act_as_owner();
savepoint exact;
update pgtrail.rollup set entries = 5 where organisation_id = tests.organisation_a() and bucket = 'success' and unit = 'hour';
select tests.act_as('auditor');
select results_eq(
    'found',
    $$ values ('hlf_sync_audit_log', tests.organisation_a(), 'hour', timestamptz '2026-01-31 23:00+00', 'success', 5::bigint, 1::bigint) $$,
    'a changed count');
rollback to exact;

select tests.act_as_owner();
update pgtrail.rollup set last_at = last_at + interval '1 minute' where bucket = 'dead_letter' and unit = 'month';
select tests.act_as('auditor');
select results_eq(
    'found',
    $$ values ('hlf_sync_audit_log', tests.organisation_a(), 'month', timestamptz '2026-02-01+00', 'dead_letter', 1::bigint, 1::bigint) $$,
    'a changed time of the newest event');
rollback to exact;

select tests.act_as_owner();
delete from pgtrail.rollup where organisation_id = tests.organisation_b();
select tests.act_as('auditor');
select results_eq(
    'found',
    $$ values
        ('hlf_sync_audit_log', tests.organisation_b(), 'hour', timestamptz '2026-02-01+00', 'success', null::bigint, 1::bigint),
        ('hlf_sync_audit_log', tests.organisation_b(), 'month', '2026-02-01+00', 'success', null, 1) $$,
    'missing counts');
rollback to exact;

select tests.act_as_owner();
insert into pgtrail.rollup values
    ('hlf_sync_audit_log', tests.organisation_a(), 'hour', '2026-01-31 23:00+00', 'invented', 7, '2026-01-31 23:00+00'),
    ('audit_log', tests.organisation_a(), 'month', '2020-01-01+00', 'invented', 8, '2020-01-01+00'),
    ('badge_evaluation_logs', tests.organisation_a(), 'hour', '2040-01-01 05:00+00', 'invented', 9, '2040-01-01+00');
select tests.act_as('auditor');
select results_eq(
    'found',
    $$ values
        ('hlf_sync_audit_log', tests.organisation_a(), 'hour', timestamptz '2026-01-31 23:00+00', 'invented', 7::bigint, null::bigint),
        ('badge_evaluation_logs', tests.organisation_a(), 'hour', '2040-01-01 05:00+00', 'invented', 9, null),
        ('audit_log', tests.organisation_a(), 'month', '2020-01-01+00', 'invented', 8, null) $$,
    'added counts, also where a trail has no entries');
select results_eq(
    $$ select bucket, stored, counted from pgtrail.verify_rollups('public.audit_log') $$,
    $$ values ('invented', 8::bigint, null::bigint) $$,
    'of one trail only');
select throws_ok('select * from pgtrail.verify_rollups(''public.organisations'')', '22023');
rollback to exact;

-- What is not sealed yet is no difference.
select tests.act_as_owner();
update pgtrail.log set tx_id = '3', trail_name = '';
delete from pgtrail.rollup;
select tests.act_as('auditor');
select is_empty('found', 'what is not sealed yet is not stored');

prepare verify as select from pgtrail.verify_rollups();
select tests.act_as('anon');
select throws_ok('verify', '42501');
select tests.act_as('peer_mentor_a');
select throws_ok('verify', '42501');
select tests.act_as('coordinator_a');
select throws_ok('verify', '42501');
select tests.act_as('org_admin_a');
select throws_ok('verify', '42501');
select tests.act_as('service');
select throws_ok('verify', '42501', 'permission denied for function verify_rollups');
select tests.act_as('auditor');
select lives_ok('verify', 'an auditor calls it');
select tests.act_as_owner();
select lives_ok('verify', 'so does the owner');

select * from finish();
rollback;
