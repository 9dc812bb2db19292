begin;
select plan(15);

create table public.licence (id int primary key);
select pgtrail.track('public.licence');
grant insert on public.licence to service_role;
prepare call as select pgtrail.set_context('{"actor_id": "ada", "request_id": "r1", "trace_id": "t1", "why": "x"}');

select tests.act_as('anon');
select throws_ok('call', '42501');
select tests.act_as('coordinator_a');
select lives_ok('call');
select tests.act_as('auditor');
select lives_ok('call');
select tests.act_as('service');
select lives_ok('call');
insert into public.licence values (1);
select lives_ok($$ select pgtrail.set_context('{}') $$);
insert into public.licence values (2);

select tests.act_as_self();
select is(
    (select jsonb_build_array(actor_id, actor_kind, request_id, trace_id, details -> 'actor_source', details -> 'context')
     from public.audit_log where entity_type = 'public.licence' and entity_id = '1'),
    '["ada", "service", "r1", "t1", "context", {"actor_id": "ada", "why": "x"}]', 'entries of the transaction have it');
select is(
    (select jsonb_build_array(actor_id, actor_kind, request_id, trace_id, details -> 'actor_source', details -> 'context')
     from public.audit_log where entity_type = 'public.licence' and entity_id = '2'),
    jsonb_build_array(session_user, 'system', null, null, 'session', null), 'until another call replaces it');

select tests.act_as('service');
select throws_ok(
    format('select pgtrail.set_context(%L)', context), '22023', 'context must be a JSON object of at most 4 KiB',
    left(coalesce(context, 'NULL'), 20))
from (values (null), ('null'), ('[]'), ('"x"'), ('5'), ('true')) as refused (context);
select throws_ok(
    format('select pgtrail.set_context(%L)', jsonb_build_object('x', repeat('x', 4096))), '22023',
    'context must be a JSON object of at most 4 KiB', 'more than 4 KiB');
select lives_ok(
    format('select pgtrail.set_context(%L)', jsonb_build_object('x', repeat('x', 4000))), 'less than that');

select * from finish();
rollback;
