begin;
select plan(6);

prepare call as select pgtrail.recount('public.hlf_sync_audit_log');
select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select throws_ok('call', '42501');
select tests.act_as('org_admin_a');
select throws_ok('call', '42501');
select tests.act_as('service');
select throws_ok('call', '42501', 'permission denied for function recount');
select tests.act_as('auditor');
select throws_ok('call', '42501', 'permission denied for function recount');
select tests.act_as_owner();
select lives_ok('call');

select * from finish();
rollback;
