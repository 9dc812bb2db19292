begin;
select plan(7);

prepare seal as select pgtrail.seal();
select tests.act_as('anon');
select throws_ok('seal', '42501');
select tests.act_as('coordinator_a');
select throws_ok('seal', '42501');
select tests.act_as('org_admin_a');
select throws_ok('seal', '42501');
select tests.act_as('service');
select throws_ok('seal', '42501', 'permission denied for function seal');
select throws_ok('select pgtrail._seal_batch(1, ''100'', 1)', '42501');
select tests.act_as('auditor');
select throws_ok('seal', '42501', 'permission denied for function seal');
select tests.act_as_owner();
select lives_ok('seal');

select * from finish();
rollback;
