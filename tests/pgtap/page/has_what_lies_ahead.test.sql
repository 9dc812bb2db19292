-- A clock that is fast records events of up to 5 minutes ahead.
begin;
select plan(2);

select tests.act_as('service');
select public.record_audit_event(tests.organisation_a(), name, p_id => pgtrail.uuid7(clock_timestamp() + ahead))
from (values ('now', interval '0'), ('soon', '4 minutes')) as event (name, ahead);

select tests.act_as('coordinator_a');
select results_eq(
    'select action from public.get_audit_log(tests.organisation_a())', $$ values ('soon'), ('now') $$,
    'they are on the first page');
select results_eq(
    $$
        select second.action
        from public.get_audit_log(tests.organisation_a(), p_page_size => 1) as first
        cross join lateral public.get_audit_log(
            tests.organisation_a(), p_page_size => 1, p_cursor => first.next_page) as second
    $$,
    $$ values ('now') $$, 'and the next one begins behind them');

select * from finish();
rollback;
