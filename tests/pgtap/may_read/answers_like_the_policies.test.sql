begin;
select plan(16);

prepare readable as select array[
    pgtrail.may_read(tests.organisation_a()), pgtrail.may_read(tests.organisation_b()),
    pgtrail.may_read(tests.platform_organisation())]::text;

select tests.act_as('coordinator_a');
select results_eq('readable', $$ values ('{t,f,f}') $$, 'a coordinator reads the own organisation');
select tests.act_as('chapter_admin_a');
select results_eq('readable', $$ values ('{t,f,f}') $$, 'so does a chapter_admin');
select tests.act_as('org_admin_a');
select results_eq('readable', $$ values ('{t,f,f}') $$, 'so does an org_admin');
select tests.act_as('coordinator_of_both');
select results_eq('readable', $$ values ('{t,t,f}') $$, 'a coordinator of two organisations reads both');
select tests.act_as('peer_mentor_a');
select results_eq('readable', $$ values ('{f,f,f}') $$, 'a peer mentor reads none');
select tests.act_as('outsider');
select results_eq('readable', $$ values ('{f,f,f}') $$, 'a user without membership reads none');
select tests.act_as('auditor');
select results_eq('readable', $$ values ('{t,t,t}') $$, 'the auditor reads all, the platform too');
select tests.act_as('service');
select results_eq('readable', $$ values ('{t,t,t}') $$, 'so does service_role');
select tests.act_as('anon');
select throws_ok('readable', '42501');

-- A claim about the role is not the role.
select tests.act_as('outsider');
set local request.jwt.claims = '{"sub": "d0000000-0000-4000-8000-000000000001", "role": "service_role"}';
select results_eq('readable', $$ values ('{f,f,f}') $$, 'the role inside the claims is not believed');

-- The policies say the same, entry by entry.
select tests.act_as('service');
insert into public.audit_log (organisation_id, action)
values (tests.organisation_a(), 'a'), (tests.organisation_b(), 'b'), (tests.platform_organisation(), 'p');
prepare visible as select string_agg(action, '' order by action) from public.audit_log;
select results_eq('visible', $$ values ('abp') $$, 'service_role sees every entry');
select tests.act_as('auditor');
select results_eq('visible', $$ values ('abp') $$, 'so does the auditor');
select tests.act_as('coordinator_a');
select results_eq('visible', $$ values ('a') $$, 'a coordinator sees those of the own organisation');
select tests.act_as('coordinator_of_both');
select results_eq('visible', $$ values ('ab') $$, 'of both organisations when member of both');
select tests.act_as('peer_mentor_a');
select results_eq('visible', $$ values (null::text) $$, 'a peer mentor sees none, without an error');
select tests.act_as('outsider');
select results_eq('visible', $$ values (null::text) $$, 'an outsider sees none, without an error');

select * from finish();
rollback;
