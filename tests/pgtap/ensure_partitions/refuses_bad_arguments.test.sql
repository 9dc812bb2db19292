begin;
select plan(6);

select throws_ok($$ select pgtrail.ensure_partitions('public.organisations', now(), now()) $$, '22023');
select throws_ok($$ select pgtrail.ensure_partitions(null, now(), now()) $$, '22023');
select throws_ok($$ select pgtrail.ensure_partitions('public.audit_log', now(), now() - interval '1 day') $$, '22023');
select throws_ok($$ select pgtrail.ensure_partitions('public.audit_log', null, now()) $$, '22023');
select throws_ok($$ select pgtrail.ensure_partitions('public.audit_log', now(), 'infinity') $$, '22023');
select throws_ok($$ select pgtrail.ensure_partitions('public.audit_log', '1969-12-31+00', now()) $$, '22023');

select * from finish();
rollback;
