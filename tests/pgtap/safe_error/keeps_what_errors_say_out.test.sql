-- Errors as Postgres and applications raise them, caught in plpgsql and recorded in each way there is.
begin;
select plan(38);

create function pg_temp.caught(statement text, out code text, out message text, out stack text) language plpgsql
as $$
begin
    execute statement;
exception when query_canceled or others then
    get stacked diagnostics code = returned_sqlstate, message = message_text, stack = pg_exception_context;
end;
$$;

create temporary table error as
select raised.name, raised.expected, caught.*
from (values
    ('division by zero', 'invalid_data', 'select 1 / 0'),
    ('unique violation', 'constraint_violated',
        'insert into public.organisations (id, name) values (tests.organisation_a(), ''Organisation A'')'),
    ('missing table', 'definition_error', 'select from public.secret_diagnoses'),
    ('syntax error', 'definition_error', 'selec 1'),
    ('SQL text that is cast', 'invalid_data', 'select ''select secret from public.users''::int'),
    ('timeout', 'timeout', 'do $do$ begin raise query_canceled using message = ''canceling statement due to statement timeout''; end $do$'),
    ('deadlock', 'deadlock', 'do $do$ begin raise deadlock_detected using message = ''process 42 waits for ShareLock on users''; end $do$'),
    ('e-mail address', 'refused', 'do $do$ begin raise ''no mail to ada.lovelace@example.org''; end $do$'),
    ('path', 'internal_error', 'do $do$ begin raise ''could not open file "/srv/app/config/keys.json"'' using errcode = ''58P01''; end $do$'),
    ('stack of an application', 'failed',
        'do $do$ begin raise E''TypeError: cannot read x\n    at evaluate (/srv/app/badges.ts:12:7)'' using errcode = ''38000''; end $do$')
) as raised (name, expected, statement)
cross join lateral pg_temp.caught(raised.statement) as caught;
grant select on error to public;

select tests.act_as('service');
select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), 1, p_error_message => text)
from error cross join lateral unnest(array[message, code || ': ' || message, stack]) as text;
select public.record_hlf_sync_attempt(
    tests.organisation_a(), tests.peer_mentor_a(), 'remove', 'dead_letter', 'force_sync', p_error_code => text)
from error cross join lateral unnest(array[message, code || ': ' || message, stack]) as text;
select results_eq(
    'select distinct error_message::text from public.badge_evaluation_logs', $$ values ('criteria.unknown') $$,
    'whatever a text says, of an evaluation it is criteria.unknown');
select results_eq(
    'select distinct error_code::text from public.hlf_sync_audit_log', $$ values ('portal.unknown') $$,
    'whatever a text says, of an attempt it is portal.unknown');
select is((select count(*) from public.badge_evaluation_logs), 30::bigint, 'all evaluations are there');
select is((select count(*) from public.hlf_sync_audit_log), 30::bigint, 'all attempts are there');

-- The SQLSTATE says more, and no more than its kind.
select public.record_badge_evaluation(tests.organisation_a(), tests.peer_mentor_a(), 1, p_error_message => code)
from error;
prepare kinds as
    select error_message::text
    from public.badge_evaluation_logs
    where error_message <> 'criteria.unknown';
select bag_eq('kinds', $$ select 'criteria.' || expected from error $$, 'the SQLSTATE becomes its kind');
select is(
    pgtrail.safe_error(code, 'criteria'), 'criteria.' || expected, name || ' has its kind')
from error;

-- A client that inserts by itself has to choose the words; anything else is refused, and the refusal does not repeat it.
create function pg_temp.inserted(text text, out code text, out told text) language plpgsql
as $$
begin
    insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, error_message)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1, text);
    code := '00000';
exception when others then
    get stacked diagnostics code = returned_sqlstate, told = pg_exception_detail;
    told := sqlerrm || told;
end;
$$;
select results_eq(
    format('select code, strpos(told, %L) from pg_temp.inserted(%L)', message, message), $$ values ('23514', 0) $$,
    'INSERT: ' || name)
from error;
select throws_ok(
    format('insert into public.hlf_sync_audit_log (organisation_id, mentor_id, sync_direction, outcome, source, error_code)
        values (tests.organisation_a(), tests.peer_mentor_a(), ''remove'', ''dead_letter'', ''force_sync'', %L)', message),
    '23514', null, 'INSERT of an attempt: ' || name)
from error;
select lives_ok(
    $$ insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, error_message)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1, 'database.deadlock') $$,
    'INSERT of words that are of the vocabulary');
select throws_ok(
    $$ insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, error_message)
    values (tests.organisation_a(), tests.peer_mentor_a(), 1, '57014') $$,
    '23514', null, 'INSERT of a SQLSTATE');
select is_empty(
    $$
    select from error
    join (
        select to_jsonb(entry)::text from public.badge_evaluation_logs as entry
        union all
        select to_jsonb(entry)::text from public.hlf_sync_audit_log as entry
    ) as stored (text) on strpos(stored.text, to_jsonb(error.message)::text) > 0
        or stored.text ~ 'ada\.|/srv/|select|secret|division|duplicate'
    $$,
    'no entry holds any of it');

select * from finish();
rollback;
