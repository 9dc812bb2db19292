begin;
select plan(10);

select tests.act_as('service');
select public.prepare_audit_backfill('hlf_sync_audit_log', '2026-01-01+00');
select public.record_hlf_sync_attempt(
    organisation, tests.peer_mentor_a(), 'remove', 'success', 'nightly_batch', p_attempted_at => at)
from (values
    (tests.organisation_a(), timestamptz '2026-01-31 23:59:59.999+00'),
    (tests.organisation_a(), '2026-02-01 00:00+00'),
    (tests.organisation_a(), '2026-02-01 00:30+00'),
    (tests.organisation_b(), '2026-02-28 12:00+00')
) as attempt (organisation, at);

prepare stored as
    select format('%s %s %s %s', left(organisation_id::text, 1), unit, to_char(starts_at at time zone 'UTC', 'MM-DD HH24'), entries)
    from pgtrail.rollup
    order by organisation_id, unit, starts_at;
prepare right_numbers as select unnest('{a hour 01-31 23 1,a hour 02-01 00 2,a month 01-01 00 1,a month 02-01 00 2,b hour 02-28 12 1,b month 02-01 00 1}'::text[]);

select tests.act_as_owner();
select pgtrail.recount('public.hlf_sync_audit_log');
select is_empty('stored', 'what is not sealed is left to the summaries');
-- The position of the log is put behind the entries of this transaction, which is all that counting looks at.
update pgtrail.log set tx_id = pg_current_xact_id(), trail_name = '~';
select pgtrail.recount('public.hlf_sync_audit_log');
select results_eq('stored', 'right_numbers', 'by organisation, and by hour and month of the event in UTC');
select pgtrail.recount('public.hlf_sync_audit_log');
select results_eq('stored', 'right_numbers', 'a second time changes nothing');

update pgtrail.rollup set entries = entries + 10;
select pgtrail.recount('public.hlf_sync_audit_log', organisation_id => tests.organisation_b());
select is(
    (select string_agg(format('%s %s', left(organisation_id::text, 1), entries > 10), ', ' order by organisation_id)
    from pgtrail.rollup where unit = 'month'),
    'a t, a t, b f', 'one organisation only');
select pgtrail.recount('public.hlf_sync_audit_log', '2026-02-15+00', '2026-02-15 01:00+00');
select is(
    (select string_agg(format('%s %s %s', left(organisation_id::text, 1), extract(month from starts_at at time zone 'UTC'), entries > 10), ', '
        order by organisation_id, starts_at)
    from pgtrail.rollup where unit = 'month'),
    'a 1 t, a 2 f, b 2 f', 'the whole months that the times touch');
select pgtrail.recount('public.hlf_sync_audit_log', to_at => '2026-02-01+00');
select results_eq('stored', 'right_numbers', 'up to a month, not included');

insert into pgtrail.rollup
values ('audit_log', tests.organisation_a(), 'hour', '2026-01-01+00', 'a', 1, '2026-01-01+00');
select pgtrail.recount('public.hlf_sync_audit_log');
select is((select count(*) from pgtrail.rollup where trail_name = 'audit_log'), 1::bigint, 'other trails are left alone');
select pgtrail.recount('public.audit_log');
select results_eq('stored', 'right_numbers', 'counts without entries go');
select throws_ok('select pgtrail.recount(''public.organisations'')', '22023');
select throws_ok('select pgtrail.recount(null)', '22023');

select * from finish();
rollback;
