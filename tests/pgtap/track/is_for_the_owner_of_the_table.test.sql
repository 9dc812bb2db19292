begin;
select plan(10);

create table public.licence (id int primary key);
prepare call as select pgtrail.track('public.licence');
select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select throws_ok('call', '42501', 'permission denied for function track');
select tests.act_as('org_admin_a');
select throws_ok('call', '42501', 'permission denied for function track');
select tests.act_as('service');
select throws_ok('call', '42501', 'permission denied for function track');
select tests.act_as('auditor');
select throws_ok('call', '42501', 'permission denied for function track');

-- pgtrail_owner may call it, and gives no triggers to a table that belongs to somebody else.
select tests.act_as_owner();
select throws_ok('call', '42501', 'permission denied for table licence', 'a table of somebody else');
select is_empty($$ select from pgtrail.tracked_table where entity_type not like 'public.organisation%' $$, 'which leaves nothing behind');
select tests.act_as_self();
select lives_ok('call', 'the table is one''s own');
select is(
    (select pg_get_userbyid(function.proowner)::text
     from pg_trigger as capture
     join pg_proc as function on function.oid = capture.tgfoid
     where capture.tgrelid = 'public.licence'::regclass and capture.tgname = 'pgtrail_capture_insert'),
    'pgtrail_owner', 'the trigger function belongs to pgtrail_owner');
select is_empty(
    $$ select from unnest('{anon,authenticated,service_role,pgtrail_auditor}'::name[]) as role (name)
       cross join pg_proc as function
       where function.proname like 'tg\_%\_\_capture' and has_function_privilege(role.name, function.oid, 'execute') $$,
    'and nobody calls it');

select * from finish();
rollback;
