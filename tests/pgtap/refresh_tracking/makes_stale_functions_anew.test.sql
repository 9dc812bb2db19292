begin;
select plan(14);

prepare call as select pgtrail.refresh_tracking();
select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select throws_ok('call', '42501', 'permission denied for function refresh_tracking');
select tests.act_as('org_admin_a');
select throws_ok('call', '42501', 'permission denied for function refresh_tracking');
select tests.act_as('service');
select throws_ok('call', '42501', 'permission denied for function refresh_tracking');
select tests.act_as('auditor');
select throws_ok('call', '42501', 'permission denied for function refresh_tracking');

select tests.act_as_self();
create table public.licence (id int primary key, org uuid, phone text);
create table public.other (id int primary key);
select pgtrail.track('public.licence', organisation_column => 'org', redact => '{phone}', on_failure => 'warn');
select pgtrail.track('public.other');
select results_eq('call', 'values (0)', 'nothing is stale');
alter table public.licence add column name text;
select tests.act_as_owner();
select results_eq('call', 'values (1)', 'one table was altered: its owner need not be asked');
select results_eq('call', 'values (0)', 'once');
select results_eq(
    $$ select organisation_column, redacted, on_failure from pgtrail.tracked_table
       where entity_type = 'public.licence' $$,
    $$ values ('org'::name, '{phone}'::name[], 'warn') $$, 'the choice is as it was');

select tests.act_as_self();
insert into public.licence values (1, tests.organisation_a(), '1', 'a');
select results_eq(
    $$ select organisation_id, changes - 'org' from public.audit_log where entity_type = 'public.licence' $$,
    $$ values (tests.organisation_a(),
        '{"id": {"new": 1}, "name": {"new": "a"}, "phone": {"redacted": true}}'::jsonb) $$);

alter table public.licence rename column org to tenant;
select results_eq('call', 'values (1)');
select is(
    (select status from pgtrail.health() where check_name = 'tracked tables'), 'critical',
    'a table whose column of the organisation is gone is to be tracked anew');
drop table public.other;
select results_eq('call', 'values (0)', 'a table that was dropped is passed over');
select is((select count(*) from pgtrail.tracked_table), 4::bigint, 'and stays noted, for health()');

select * from finish();
rollback;
