begin;
-- The profiler of plpgsql_check takes the transition tables of a trigger for missing.
set local plpgsql_check.profiler = off;
select plan(19);

prepare call as select pgtrail.replay_failed_writes();
select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select throws_ok('call', '42501', 'permission denied for function replay_failed_writes');
select tests.act_as('org_admin_a');
select throws_ok('call', '42501', 'permission denied for function replay_failed_writes');
select tests.act_as('service');
select throws_ok('call', '42501', 'permission denied for function replay_failed_writes');
select tests.act_as('auditor');
select throws_ok('call', '42501', 'permission denied for function replay_failed_writes');
select throws_ok('delete from pgtrail.failed_write', '42501', null, 'an auditor reads what waits, and no more');

select tests.act_as_owner();
select results_eq('call', 'values (0)', 'nothing waits');
select tests.act_as_self();
create table public.licence (id int primary key);
select pgtrail.track('public.licence', on_failure => 'warn');
select tests.act_as_owner();
alter table public.audit_log add constraint not_licences check (entity_type <> 'public.licence') not valid;
select tests.act_as_self();
set local client_min_messages = error;
insert into public.licence select n from generate_series(1, 5) as n;
reset client_min_messages;
select is((select count(*) from public.licence), 5::bigint, 'what could not be recorded happened');

select tests.act_as_owner();
prepare recorded as
    select string_agg(entity_id, ' ' order by id) from public.audit_log where entity_type = 'public.licence';
select results_eq('call', 'values (0)', 'while the cause lasts, nothing can be recorded');
select is(
    (select count(*) from pgtrail.failed_write where replayed_at is null and sqlstate = '23514'), 5::bigint,
    'and everything stays');
alter table public.audit_log drop constraint not_licences;
alter table public.audit_log add constraint not_this_one
    check (entity_type <> 'public.licence' or entity_id <> '1') not valid;
select results_eq(
    'select pgtrail.replay_failed_writes(max_entries => 2)', 'values (2)',
    'one that fails again does not use up the limit');
select results_eq('recorded', $$ values ('2 3') $$, 'the oldest first');
select results_eq('call', 'values (2)', 'one that fails again keeps nobody waiting');
select results_eq(
    $$ select entry ->> 'entity_id' from pgtrail.failed_write where replayed_at is null $$, $$ values ('1') $$,
    'it stays');
alter table public.audit_log drop constraint not_this_one;
select results_eq('call', 'values (1)');
select results_eq('call', 'values (0)', 'twice is once');
select results_eq('recorded', $$ values ('1 2 3 4 5') $$, 'in the order of the changes');
select results_eq(
    $$ select id, occurred_at, changes::jsonb, actor_id::text from public.audit_log where entity_type = 'public.licence' order by id $$,
    $$ select (entry ->> 'id')::uuid, pgtrail.uuid7_time((entry ->> 'id')::uuid), entry -> 'changes', entry ->> 'actor_id'
       from pgtrail.failed_write order by failed_write_id $$,
    'under the id and the time of the change');
select is_empty('select from pgtrail.failed_write where replayed_at is null', 'nothing waits any more');

select * from finish();
rollback;
