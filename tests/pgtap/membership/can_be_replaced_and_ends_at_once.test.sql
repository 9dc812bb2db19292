begin;
select plan(4);

select tests.act_as('service');
insert into public.audit_log (organisation_id, action) values (tests.organisation_a(), 'a');
delete from public.organisation_members where user_id = tests.coordinator_a()::text;
select tests.act_as('coordinator_a');
select is_empty('select from public.audit_log', 'a removed membership stops access at once');
select throws_ok(format('select public.get_audit_log(%L)', tests.organisation_a()), '42501');

-- A team's own tables, with subjects that are no UUIDs.
select tests.act_as_self();
create table public.staff (login text, employer uuid, job text);
insert into public.staff values ('auth0|7', tests.organisation_a(), 'coordinator');
grant select on public.staff to pgtrail_owner;
create or replace view pgtrail.membership as select login as user_id, employer as organisation_id, job as role from public.staff;
set local role authenticated;
set local request.jwt.claims = '{"sub": "auth0|7"}';
select results_eq('select action::text from public.audit_log', $$ values ('a'), ('organisation_members.deleted') $$,
    'the view may read other tables');
select tests.act_as('coordinator_b');
select is_empty('select from public.audit_log', 'and then nothing else counts');

select * from finish();
rollback;
