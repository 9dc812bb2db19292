begin;
select plan(8);

select throws_ok($$ select pgtrail.set_reader_roles(null) $$, '22023', 'roles must be an array of names');
select throws_ok($$ select pgtrail.set_reader_roles('{coordinator,null}') $$, '22023', 'roles must be an array of names');
select pgtrail.set_reader_roles('{org_admin,peer_mentor,peer_mentor}');
select results_eq(
    'select role from pgtrail.reader_role order by role', $$ values ('org_admin'), ('peer_mentor') $$,
    'the roles take the place of those before');
select is(
    (select details -> 'roles' from public.audit_log where action = 'readers.set'),
    '["org_admin", "peer_mentor", "peer_mentor"]', 'which is audited');

select tests.act_as('peer_mentor_a');
select ok(pgtrail.may_read(tests.organisation_a()), 'a role that was named reads');
select tests.act_as('coordinator_a');
select ok(not pgtrail.may_read(tests.organisation_a()), 'one that is not named reads no more');
select throws_ok($$ select pgtrail.set_reader_roles('{coordinator}') $$, '42501', null, 'nor may its members change that');
select tests.act_as('service');
select throws_ok($$ select pgtrail.set_reader_roles('{coordinator}') $$, '42501', null, 'nor may service_role');

select * from finish();
rollback;
