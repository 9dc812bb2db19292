begin;
select plan(6);

select tests.act_as('coordinator_of_both');
select results_eq(
    'select id from public.organisations order by id',
    $$ values (tests.organisation_a()), (tests.organisation_b()) $$,
    'a member sees the organisations it belongs to');
select tests.act_as('peer_mentor_a');
select results_eq('select id from public.organisations', $$ values (tests.organisation_a()) $$, 'a peer mentor too');
select results_eq(
    'select user_id from public.organisation_members', $$ values (tests.peer_mentor_a()::text) $$,
    'and of the members only itself');
select tests.act_as('outsider');
select is_empty('select from public.organisations', 'an outsider sees none');
select throws_ok(
    $$ insert into public.organisation_members (organisation_id, user_id, role) values (tests.organisation_a(), 'me', 'org_admin') $$,
    '42501');
select tests.act_as('service');
select throws_ok(
    $$ insert into public.organisation_members (organisation_id, user_id, role) values (tests.platform_organisation(), 'me', 'org_admin') $$,
    '23514');

select * from finish();
rollback;
