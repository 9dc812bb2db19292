begin;
select plan(10);

select tests.act_as('service');
insert into public.audit_log (organisation_id, action) values (tests.organisation_a(), 'test');
prepare proof as select * from pgtrail.inclusion_proof('public.audit_log', (select id from public.audit_log limit 1));
select throws_ok('proof', '42501', 'permission denied for function inclusion_proof');
select tests.act_as('anon');
select throws_ok('proof', '42501');
select tests.act_as('coordinator_a');
select throws_ok('proof', '42501');
select tests.act_as('org_admin_a');
select throws_ok('proof', '42501');

select tests.act_as('auditor');
select throws_ok('proof', 'PT404', 'the entry is not in a tree of this size');
select throws_ok(
    $$ select * from pgtrail.inclusion_proof('public.audit_log', gen_random_uuid()) $$,
    'PT404', 'the entry is not in a tree of this size');
select throws_ok(
    $$ select * from pgtrail.inclusion_proof('public.audit_log', null) $$,
    'PT404', 'the entry is not in a tree of this size');
select throws_ok(
    $$ select * from pgtrail.inclusion_proof('public.organisations', gen_random_uuid()) $$,
    '22023', 'public.organisations is not a trail');
select throws_ok(
    $$ select * from pgtrail.inclusion_proof(null, gen_random_uuid()) $$, '22023', 'null is not a trail');
select throws_ok(
    $$ select * from pgtrail.inclusion_proof('public.audit_log', gen_random_uuid(), 1) $$,
    '22023', 'the log never had this size');

select * from finish();
rollback;
