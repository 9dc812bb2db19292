-- What all paged RPCs share, asked of each of them.
begin;
select plan(60);

create temporary table rpc (name text);
insert into rpc values
    ('get_audit_log'), ('get_hlf_sync_audit'), ('get_coordinator_acknowledgement_audit'),
    ('get_badge_evaluation_logs');
create temporary table refused (code text, arguments text);
insert into refused values
    ('22023', 'tests.organisation_a(), p_page_size => 0'),
    ('22023', 'tests.organisation_a(), p_page_size => -1'),
    ('22023', 'tests.organisation_a(), p_page_size => 201'),
    ('22023', 'tests.organisation_a(), p_page_size => null'),
    ('22023', 'tests.organisation_a(), p_page => 0'),
    ('22023', 'tests.organisation_a(), p_page => -1'),
    ('22023', 'tests.organisation_a(), p_page => null'),
    ('22023', 'tests.organisation_a(), p_page => 2, p_cursor => ''any'''),
    ('22023', 'null'),
    ('22P02', 'tests.organisation_a(), p_cursor => ''any'''),
    ('22P02', 'tests.organisation_a(), p_cursor => '''''),
    ('42501', 'tests.organisation_b()'),
    ('42501', 'tests.platform_organisation()');
grant select on rpc, refused to public;

select tests.act_as('coordinator_a');
select throws_ok(
    format('select from public.%s(%s)', rpc.name, refused.arguments), refused.code, null,
    format('%s: %s', rpc.name, refused.arguments))
from rpc cross join refused;
select is_empty(
    format('select from public.%s(tests.organisation_a(), p_page => 1, p_page_size => %s)', rpc.name, size),
    format('%s: %s is a page size', rpc.name, size))
from rpc cross join unnest('{1,200}'::int[]) as size;

select * from finish();
rollback;
