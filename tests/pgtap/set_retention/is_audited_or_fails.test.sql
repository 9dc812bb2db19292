begin;
select plan(2);

select lives_ok($$ select pgtrail.set_retention('public.audit_log', '1 year') $$, 'a policy is set');
alter table public.audit_log rename to moved_log;
select throws_ok(
    $$ select pgtrail.set_retention('public.moved_log', '2 years') $$,
    '42P01', null,
    'and not where the trail that keeps acts of administration was moved away');

select * from finish();
rollback;
