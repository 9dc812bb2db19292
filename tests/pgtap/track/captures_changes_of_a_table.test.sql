begin;
select plan(9);

create table public.licence (id int primary key, org uuid, name text, words text, phone text);
prepare captured as
    select action::text, organisation_id, changes - 'org' from public.audit_log
    where entity_type = 'public.licence' and entity_id = '1' order by id;
select pgtrail.track(
    'public.licence', organisation_column => 'org', exclude => '{words}', redact => '{phone}', on_failure => 'warn');
select results_eq(
    $$ select entity_type, organisation_column, excluded, redacted, on_failure, relation::text
       from pgtrail.tracked_table where entity_type = 'public.licence' $$,
    $$ values ('public.licence'::pgtrail.entity_type, 'org'::name, '{words}'::name[], '{phone}'::name[], 'warn',
        'licence') $$,
    'the choice is written down');
select results_eq(
    $$ select organisation_id, details::jsonb from public.audit_log where action = 'table.tracked' $$,
    $$ values (tests.platform_organisation(), '{"table": "public.licence", "organisation_column": "org",
        "exclude": ["words"], "redact": ["phone"], "on_failure": "warn",
        "level": "statement"}'::jsonb) $$,
    'and is an entry');

insert into public.licence values (1, tests.organisation_a(), 'a', 'w', '1');
update public.licence set words = 'v';
update public.licence set name = 'b', phone = '2';
delete from public.licence;
select results_eq('captured', $$ values
    ('licence.inserted'::text, tests.organisation_a(),
        '{"id": {"new": 1}, "name": {"new": "a"}, "phone": {"redacted": true}}'::jsonb),
    ('licence.updated', tests.organisation_a(),
        '{"name": {"old": "a", "new": "b"}, "phone": {"redacted": true}}'),
    ('licence.deleted', tests.organisation_a(),
        '{"id": {"old": 1}, "name": {"old": "b"}, "phone": {"redacted": true}}') $$,
    'each change is an entry of the organisation');
select is(
    (select string_agg(action, ' ' order by id) from public.audit_log where entity_type = 'public.licence'),
    'licence.inserted licence.updated licence.deleted', 'what is excluded makes none');

select lives_ok('select pgtrail.track(''public.licence'')', 'it may be called again');
select results_eq(
    $$ select organisation_column, excluded, redacted, on_failure
       from pgtrail.tracked_table where entity_type = 'public.licence' $$,
    $$ values (null::name, '{}'::name[], '{}'::name[], 'block') $$, 'which replaces the whole choice');
insert into public.licence values (2, tests.organisation_a(), 'a', 'w', '1');
select results_eq(
    $$ select organisation_id, changes - 'org' from public.audit_log
       where entity_type = 'public.licence' and entity_id = '2' $$,
    $$ values (tests.platform_organisation(),
        '{"id": {"new": 2}, "name": {"new": "a"}, "words": {"new": "w"}, "phone": {"new": "1"}}'::jsonb) $$);
select is(
    (select count(*) from pg_trigger where tgrelid = 'public.licence'::regclass and not tgisinternal), 4::bigint,
    'there are four triggers as before');
select is(
    (select count(*) from public.audit_log where action = 'table.tracked'), 2::bigint, 'each call is an entry');

select * from finish();
rollback;
