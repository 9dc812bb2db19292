-- What is not sealed is counted from the trail itself, what is sealed from pgtrail.rollup: with the same numbers.
begin;
select plan(38);

select tests.act_as('service');
select public.prepare_audit_backfill('hlf_sync_audit_log', '2026-01-01+00');
-- The first ids of their milliseconds, where bounds are.
select public.record_hlf_sync_attempt(
    organisation, tests.peer_mentor_a(), 'remove', outcome, 'nightly_batch', p_id => pgtrail.uuid7_floor(at))
from (values
    (tests.organisation_a(), 'retryable_failure'::public.sync_outcome, timestamptz '2026-01-31 23:59:59.999+00'),
    (tests.organisation_a(), 'retryable_failure', '2026-02-01 00:00:00.000+00'),
    (tests.organisation_a(), 'dead_letter', '2026-02-01 00:00:00.001+00'),
    (tests.organisation_a(), 'success', '2026-02-01 00:30:00.000+00'),
    (tests.organisation_a(), 'success', '2026-02-01 01:00:00.000+00'),
    (tests.organisation_a(), 'success', '2026-03-15 12:34:56.789+00'),
    (tests.organisation_b(), 'success', '2026-02-01 00:00:00.002+00')
) as attempt (organisation, outcome, at);

select tests.act_as('coordinator_a');
select results_eq(
    'select * from public.get_hlf_sync_audit_summary(tests.organisation_a())',
    $$ values
        ('success'::public.sync_outcome, 3::bigint, timestamptz '2026-03-15 12:34:56.789+00'),
        ('retryable_failure', 2, '2026-02-01 00:00:00+00'),
        ('dead_letter', 1, '2026-02-01 00:00:00.001+00') $$,
    'by outcome, with the time of the last one, open at both ends');
select results_eq(
    $$ select * from public.get_audit_summary(tests.organisation_a(), 'hlf_sync_audit_log') $$,
    $$ values ('dead_letter', 1::bigint), ('retryable_failure', 2), ('success', 3) $$,
    'and by the name of the trail');

prepare counted as
    select coalesce(sum(attempts), 0)::int from public.get_hlf_sync_audit_summary(tests.organisation_a(), $1, $2);
create function pg_temp.counted(from_at text, to_at text) returns int language plpgsql
as $$
declare
    v_counted int;
begin
    execute format('execute counted(%L, %L)', from_at, to_at) into v_counted;
    return v_counted;
end;
$$;
create temporary table bounds (from_at text, to_at text, expected int);
insert into bounds values
    ('2026-02-01+00', '2026-02-01 00:00:00.001+00', 1),
    ('2026-02-01+00', '2026-02-01 01:00+00', 3),
    ('2026-02-01+00', '2026-02-01 01:00:00.001+00', 4),
    ('2026-02-01 00:00:00.0005+00', '2026-02-01 01:00+00', 2),
    ('2026-01-31 23:59:59.999+00', '2026-02-01+00', 1),
    (null, '2026-02-01+00', 1),
    (null, '2026-02-01 00:00:00.000001+00', 2),
    ('2026-02-01 00:30+00', null, 3),
    ('2026-02-01+00', '2026-03-01+00', 4),
    ('-infinity', 'infinity', 6),
    ('2026-03-15 12:34:56.789+00', '2026-03-15 12:34:56.79+00', 1),
    ('2026-03-15 12:34:56.79+00', null, 0),
    ('2026-02-01+00', '2026-02-01+00', 0),
    ('2026-03-01+00', '2026-02-01+00', 0),
    ('2026-02-01 00:30:00.001+00', '2026-02-01 00:30+00', 0),
    ('infinity', '-infinity', 0);
grant select on bounds to public;
select is(
    pg_temp.counted(from_at, to_at), expected,
    format('not sealed: [%s, %s)', coalesce(from_at, 'open'), coalesce(to_at, 'open')))
from bounds;

-- The position of the log is put behind the entries of this transaction, which is all that counting looks at.
select tests.act_as_owner();
update pgtrail.log set tx_id = pg_current_xact_id(), trail_name = '~';
select pgtrail.recount('public.hlf_sync_audit_log');
select isnt_empty('select from pgtrail.rollup', 'now they are counted there');
select tests.act_as('coordinator_a');
select is(
    pg_temp.counted(from_at, to_at), expected,
    format('sealed: [%s, %s)', coalesce(from_at, 'open'), coalesce(to_at, 'open')))
from bounds;
select tests.act_as_owner();
update pgtrail.log set tx_id = '3', trail_name = '';
delete from pgtrail.rollup;

-- At once, for whoever writes next.
select tests.act_as('service');
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'dead_letter', 'force_sync');
select is(
    (select attempts from public.get_hlf_sync_audit_summary(tests.organisation_a()) where outcome = 'dead_letter'),
    2::bigint, 'an entry counts as soon as it is recorded');
select tests.act_as('auditor');
select is(
    (select attempts from public.get_hlf_sync_audit_summary(tests.organisation_b())), 1::bigint,
    'each organisation has its own numbers');
select is_empty(
    'select from public.get_hlf_sync_audit_summary(tests.platform_organisation())', 'without entries there are none');

select * from finish();
rollback;
