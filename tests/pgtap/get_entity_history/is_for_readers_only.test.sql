begin;
select plan(21);

create table public.licence (id int primary key, org uuid, n int);
select pgtrail.track('public.licence', organisation_column => 'org');
insert into public.licence values (1, tests.organisation_a(), 1), (2, tests.organisation_b(), 1);
update public.licence set n = 2;

prepare page as select action from public.get_entity_history('public.licence', '1', tests.organisation_a());
prepare newest_first as values ('licence.updated'), ('licence.inserted');
select tests.act_as('coordinator_a');
select results_eq('page', 'newest_first', 'a coordinator');
select tests.act_as('chapter_admin_a');
select results_eq('page', 'newest_first', 'a chapter_admin');
select tests.act_as('org_admin_a');
select results_eq('page', 'newest_first', 'an org_admin');
select tests.act_as('coordinator_of_both');
select results_eq('page', 'newest_first', 'a coordinator of both');
select tests.act_as('service');
select results_eq('page', 'newest_first', 'service_role');
select tests.act_as('auditor');
select results_eq('page', 'newest_first', 'an auditor');
select tests.act_as('peer_mentor_a');
select throws_ok('page', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('outsider');
select throws_ok('page', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('coordinator_b');
select throws_ok('page', '42501', 'not allowed to read the entries of this organisation');
select tests.act_as('anon');
select throws_ok('page', '42501', 'permission denied for function get_entity_history');

select tests.act_as('coordinator_a');
select is_empty(
    $$ select from public.get_entity_history('public.licence', '2', tests.organisation_a()) $$,
    'a row of another organisation has no entries of one''s own');
select throws_ok(format('select public.get_entity_history(%s)', arguments), code, null, arguments)
from (values
    ('22023', 'null, ''1'', tests.organisation_a()'),
    ('22023', '''public.licence'', null, tests.organisation_a()'),
    ('22023', '''public.licence'', ''1'', null'),
    ('22023', '''public.licence'', ''1'', tests.organisation_a(), p_page => 0'),
    ('22023', '''public.licence'', ''1'', tests.organisation_a(), p_page_size => 201'),
    ('22P02', '''public.licence'', ''1'', tests.organisation_a(), p_cursor => ''any'''),
    ('42501', '''public.licence'', ''1'', tests.organisation_b()'),
    ('42501', '''public.licence'', ''1'', tests.platform_organisation()')
) as refused (code, arguments);

prepare rest as
    select page_two.action
    from public.get_entity_history('public.licence', '1', tests.organisation_a(), p_page_size => 1) as page_one
    cross join lateral public.get_entity_history(
        'public.licence', '1', tests.organisation_a(), p_page_size => 1, p_cursor => page_one.next_page) as page_two;
select results_eq('rest', $$ values ('licence.inserted') $$, 'the cursor goes on where the page ended');
select is(
    (select count(*) from public.get_entity_history('public.licence', '1', tests.organisation_a(), 2, 1)), 1::bigint,
    'and so does the number of the page');

select * from finish();
rollback;
