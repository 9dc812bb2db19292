begin;
select plan(8);

select tests.act_as_owner();
select pgtrail.start_new_origin('a name', 'audit.example.org/app');

select tests.act_as('auditor');
select is(
    pgtrail.checkpoint(),
    E'audit.example.org/app\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n',
    'origin, size and root, each line with its end');
select is(pgtrail.checkpoint(0), pgtrail.checkpoint(), 'the present size is the default');
select throws_ok('select pgtrail.checkpoint(1)', '22023', 'the log never had this size');
select throws_ok('select pgtrail.checkpoint(-1)', '22023', 'the log never had this size');

prepare checkpoint as select pgtrail.checkpoint();
select tests.act_as('anon');
select throws_ok('checkpoint', '42501');
select tests.act_as('coordinator_a');
select throws_ok('checkpoint', '42501');
select tests.act_as('org_admin_a');
select throws_ok('checkpoint', '42501');
select tests.act_as('service');
select throws_ok('checkpoint', '42501', 'permission denied for function checkpoint');

select * from finish();
rollback;
