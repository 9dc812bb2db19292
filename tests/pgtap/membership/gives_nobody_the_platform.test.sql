begin;
select plan(4);

-- A team's own view, which may have a member of the platform organisation.
select tests.act_as_self();
create table public.staff (login text, employer uuid, job text);
insert into public.staff values
    ('auth0|7', tests.platform_organisation(), 'org_admin'), ('auth0|7', tests.organisation_a(), 'coordinator');
grant select on public.staff to pgtrail_owner;
create or replace view pgtrail.membership as select login as user_id, employer as organisation_id, job as role from public.staff;

select tests.act_as('service');
insert into public.audit_log (organisation_id, action)
values (tests.organisation_a(), 'a'), (tests.platform_organisation(), 'p');

select tests.act_as('outsider');
set local request.jwt.claims = '{"sub": "auth0|7"}';
select ok(not pgtrail.may_read(tests.platform_organisation()), 'a member of the platform may not read its entries');
select throws_ok(format('select public.get_audit_log(%L)', tests.platform_organisation()), '42501');
select throws_ok(
    format('select public.get_audit_summary(%L, %L)', tests.platform_organisation(), 'audit_log'), '42501');
select results_eq(
    'select action::text from public.audit_log', $$ values ('a') $$, 'and sees those of other organisations alone');

select * from finish();
rollback;
