begin;
select plan(9);

select tests.act_as_owner();
select throws_ok('select pgtrail.seal(0)', '22023', 'max_entries must be 1 or more');
select throws_ok('select pgtrail.seal(-1)', '22023', 'max_entries must be 1 or more');
select throws_ok('select pgtrail.seal(null)', '22023', 'max_entries must be 1 or more');

update pgtrail.log set sealed_at = now() - interval '1 hour';
select is(pgtrail.seal(), 0::bigint, 'nothing to seal is no error');
select is((select tree_size from pgtrail.log), 0::bigint, 'nor a leaf');
select is_empty('select from pgtrail.batch', 'nor a batch');
select ok((select sealed_at > now() - interval '1 minute' from pgtrail.log), 'but a run');

select tests.act_as('service');
insert into public.audit_log (organisation_id, action) values (tests.organisation_a(), 'test');
select tests.act_as_owner();
select is(pgtrail.seal(), 0::bigint, 'the entry of a transaction that is open waits');
select is((select tree_size from pgtrail.log), 0::bigint, 'and is no leaf yet');

select * from finish();
rollback;
