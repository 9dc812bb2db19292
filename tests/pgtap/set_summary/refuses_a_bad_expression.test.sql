-- One that cannot be counted by would hold up sealing, of all trails.
begin;
select plan(11);

prepare state as
    select (select bucket from pgtrail.trail where trail_name = 'hlf_sync_audit_log'),
        (select string_agg(format('%s %s %s', unit, bucket, entries), ', ' order by unit) from pgtrail.rollup);
create temporary table bad (code text, expression text);
insert into bad values
    ('42703', 'entry.nothing'),
    ('42601', ''),
    ('42601', 'entry.outcome as bucket, 1'),
    ('42601', 'entry.outcome)::text; drop table public.organisations; --'),
    ('42883', 'no_such_function(entry.outcome)'),
    ('42P01', 'other.outcome'),
    ('42803', 'count(*)'),
    ('22P02', 'entry.outcome::text::int');
grant select on bad to public;

select tests.act_as('service');
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'success', 'nightly_batch');
select tests.act_as_owner();
update pgtrail.log set tx_id = pg_current_xact_id(), trail_name = '~';
select pgtrail.recount('public.hlf_sync_audit_log');
select throws_ok(
    format('select pgtrail.set_summary(''public.hlf_sync_audit_log'', %L)', expression), code, null,
    quote_literal(expression))
from bad;
select results_eq(
    'state', $$ values ('entry.outcome', 'hour success 1, month success 1') $$, 'nothing has changed');
select throws_ok(
    'select pgtrail.set_summary(''public.hlf_sync_audit_log'', ''1 / entry.retry_count'')', '22012', null,
    'an expression that an entry makes raise');
select results_eq(
    'state', $$ values ('entry.outcome', 'hour success 1, month success 1') $$, 'nothing has changed');

select * from finish();
rollback;
