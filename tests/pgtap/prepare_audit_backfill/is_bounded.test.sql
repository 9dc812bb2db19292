begin;
select plan(6);

select tests.act_as('service');
select ok(public.prepare_audit_backfill('audit_log', now() - interval '3 years') between 30 and 40, 'it returns how many months it made');
select is(public.prepare_audit_backfill('audit_log', now() - interval '3 years'), 0, 'once is enough');
select throws_ok($$ select public.prepare_audit_backfill('audit_log', '1990-01-01') $$, '22023');
select throws_ok($$ select public.prepare_audit_backfill('audit_log', now() + interval '1 day') $$, '22023');
select throws_ok($$ select public.prepare_audit_backfill('organisations', now()) $$, 'PT404');
select throws_ok($$ select public.prepare_audit_backfill(null, null) $$, '22023');

select * from finish();
rollback;
