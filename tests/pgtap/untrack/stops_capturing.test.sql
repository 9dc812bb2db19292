begin;
select plan(16);

create table public.licence (id int primary key);
select pgtrail.track('public.licence');
insert into public.licence values (1);
prepare call as select pgtrail.untrack('public.licence');

select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select throws_ok('call', '42501', 'permission denied for function untrack');
select tests.act_as('org_admin_a');
select throws_ok('call', '42501', 'permission denied for function untrack');
select tests.act_as('service');
select throws_ok('call', '42501', 'permission denied for function untrack');
select tests.act_as('auditor');
select throws_ok('call', '42501', 'permission denied for function untrack');
select tests.act_as_owner();
select throws_ok('call', '42501', 'must be owner of relation licence', 'the triggers belong to the owner of the table');

select tests.act_as_self();
select lives_ok('call');
select is_empty($$ select from pgtrail.tracked_table where entity_type not like 'public.organisation%' $$);
select is_empty($$ select from pg_trigger where tgrelid = 'public.licence'::regclass $$, 'the triggers are gone');
select is_empty(
    $$ select from pg_proc
       where pronamespace = 'pgtrail'::regnamespace and proname like 'tg\_' || left(md5('public.licence'), 12) || '%' $$,
    'and so is their function');
insert into public.licence values (2);
select is(
    (select string_agg(entity_id, ' ') from public.audit_log where entity_type = 'public.licence'), '1',
    'what was captured stays, and nothing is added');
select is(
    (select details::jsonb from public.audit_log where action = 'table.untracked'), '{"table": "public.licence"}'::jsonb,
    'that it stopped is an entry');
select throws_ok('call', '22023', 'public.licence is not tracked');
select throws_ok('select pgtrail.untrack(null)', '22023', 'null is not tracked');

create table public.gone (id int primary key);
select pgtrail.track('public.gone');
drop table public.gone;
select lives_ok(
    $$ select pgtrail.untrack(known.relation) from pgtrail.tracked_table as known
       where known.entity_type = 'public.gone' $$, 'a table that was dropped');
select is_empty($$ select from pgtrail.tracked_table where entity_type not like 'public.organisation%' $$);

select * from finish();
rollback;
