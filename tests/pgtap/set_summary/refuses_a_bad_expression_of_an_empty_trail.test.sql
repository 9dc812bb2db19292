-- Before there is an entry to try it on: the first one would hold up sealing, of all trails.
begin;
select plan(8);

create temporary table bad (code text, expression text);
insert into bad values
    ('42703', 'entry.nothing'),
    ('42601', ''),
    ('42601', 'entry.outcome as bucket, 1'),
    ('42601', 'entry.outcome)::text; drop table public.organisations; --'),
    ('42883', 'no_such_function(entry.outcome)'),
    ('42P01', 'other.outcome'),
    ('42803', 'count(*)');
grant select on bad to public;

select tests.act_as_owner();
select throws_ok(
    format('select pgtrail.set_summary(''public.hlf_sync_audit_log'', %L)', expression), code, null,
    quote_literal(expression))
from bad;
select is(
    (select bucket from pgtrail.trail where trail_name = 'hlf_sync_audit_log'), 'entry.outcome', 'nothing has changed');

select * from finish();
rollback;
