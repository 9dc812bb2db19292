begin;
select plan(10);

select tests.act_as('auditor');
select is_empty('select * from pgtrail.verify()', 'an empty log is intact');
select is_empty($$ select * from pgtrail.verify('public.audit_log') $$, 'and so is its part of a trail');
select throws_ok($$ select * from pgtrail.verify('public.organisations') $$, '22023', 'public.organisations is not a trail');
select throws_ok('select * from pgtrail.verify_batch(0)', 'PT404', 'no batch begins with this leaf');
select throws_ok('select * from pgtrail.verify_batch(null)', 'PT404', 'no batch begins with this leaf');

select tests.act_as('service');
insert into public.audit_log (organisation_id, action) values (tests.organisation_a(), 'test');
select throws_ok('select * from pgtrail.verify()', '42501', 'permission denied for function verify');
select tests.act_as('org_admin_a');
select throws_ok('select * from pgtrail.verify()', '42501');
select tests.act_as('anon');
select throws_ok('select * from pgtrail.verify()', '42501');

select tests.act_as('auditor');
select is_empty('select * from pgtrail.verify()', 'an entry that is not sealed yet is no defect');
select tests.act_as_owner();
update pgtrail.log set root = sha256('another');
select tests.act_as('auditor');
select results_eq(
    'select defect, trail_name, entry_id, detail from pgtrail.verify()',
    $$ values ('root mismatch', null::text, null::uuid, 'the tiles do not give the root of the log at size 0') $$,
    'a root that is not that of the tree is one');

select * from finish();
rollback;
