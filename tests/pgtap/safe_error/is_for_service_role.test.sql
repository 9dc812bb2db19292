begin;
select plan(4);

prepare error as select pgtrail.safe_error('57014', 'criteria');
select tests.act_as('anon');
select throws_ok('error', '42501');
select tests.act_as('coordinator_a');
select throws_ok('error', '42501');
select tests.act_as('auditor');
select throws_ok('error', '42501');
select tests.act_as('service');
select results_eq('error', $$ values ('criteria.timeout') $$, 'who records may ask');

select * from finish();
rollback;
