begin;
select plan(10);

select tests.act_as('service');
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), direction, 'success', 'nightly_batch')
from unnest('{remove,restore,restore}'::public.sync_direction[]) as direction;
prepare summary as select * from public.get_audit_summary(tests.organisation_a(), 'hlf_sync_audit_log');
prepare stored as
    select unit, bucket, entries from pgtrail.rollup where trail_name = 'hlf_sync_audit_log' order by unit, bucket;

-- Entries of this transaction, before they are sealed.
select tests.act_as_owner();
select pgtrail.set_summary('public.hlf_sync_audit_log', 'entry.sync_direction');
select tests.act_as('coordinator_a');
select results_eq(
    'summary', $$ values ('remove', 1::bigint), ('restore', 2) $$, 'an expression over the row "entry"');
select is_empty('stored', 'what is not sealed is not stored');

-- And after: the position of the log is put behind them, which is all that counting looks at.
select tests.act_as_owner();
update pgtrail.log set tx_id = pg_current_xact_id(), trail_name = '~';
select pgtrail.set_summary('public.hlf_sync_audit_log', 'entry.sync_direction');
select results_eq(
    'stored',
    $$ values ('hour', 'remove', 1::bigint), ('hour', 'restore', 2), ('month', 'remove', 1), ('month', 'restore', 2) $$,
    'sealed entries are counted again by it');
select tests.act_as('coordinator_a');
select results_eq('summary', $$ values ('remove', 1::bigint), ('restore', 2) $$, 'with the same summary');

select tests.act_as_owner();
select pgtrail.set_summary('public.hlf_sync_audit_log');
select results_eq(
    'stored', $$ values ('hour', 'all', 3::bigint), ('month', 'all', 3) $$, 'without an expression there is one bucket');
select tests.act_as('service');
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'success', 'nightly_batch',
    p_attempted_at => now() - interval '1 second');
select tests.act_as_owner();
select pgtrail.set_summary('public.hlf_sync_audit_log', 'nullif(entry.sync_direction::text, ''remove'')');
select results_eq(
    $$ select bucket, sum(entries)::int from pgtrail.rollup where unit = 'hour' group by bucket order by bucket $$,
    $$ values ('none', 2), ('restore', 2) $$,
    'what the expression gives null for is none');
select is_empty('select from pgtrail.verify_rollups()', 'the counts are those of the entries');

-- A bucket of each trail: others are left alone.
select is(
    (select bucket from pgtrail.trail where trail_name = 'audit_log'), 'entry.action', 'other trails keep theirs');
select throws_ok('select pgtrail.set_summary(''public.organisations'', ''1'')', '22023');
select throws_ok('select pgtrail.set_summary(null, ''1'')', '22023');

select * from finish();
rollback;
