begin;
select plan(6);

prepare page as select public.get_audit_log(tests.organisation_a());
select tests.act_as('coordinator_a');
select lives_ok('page', 'a coordinator may call it');
select tests.act_as('peer_mentor_a');
select throws_ok('page', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('outsider');
select throws_ok('page', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('coordinator_b');
select throws_ok('page', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('anon');
select throws_ok('page', '42501', 'permission denied for function get_audit_log');
select tests.act_as('service');
select lives_ok('page', 'service_role may call it');

select * from finish();
rollback;
