begin;
select plan(8);

select tests.act_as_owner();
select throws_ok('select * from pgtrail.verify_slice(0)', '22023', 'batches must be 1 or more');
select throws_ok('select * from pgtrail.verify_slice(-1)', '22023', 'batches must be 1 or more');
select throws_ok('select * from pgtrail.verify_slice(null)', '22023', 'batches must be 1 or more');
select is_empty('select * from pgtrail.verify_slice()', 'an empty log is intact');
select ok((select verified_at > now() - interval '1 minute' from pgtrail.log), 'the run is written down');

select tests.act_as('auditor');
select throws_ok('select * from pgtrail.verify_slice()', '42501', 'permission denied for function verify_slice');
select tests.act_as('service');
select throws_ok('select * from pgtrail.verify_slice()', '42501');
select tests.act_as('anon');
select throws_ok('select * from pgtrail.verify_slice()', '42501');

select * from finish();
rollback;
