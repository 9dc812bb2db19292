begin;
select plan(17);

create table public.licence (id int primary key, org uuid, name text);
create view public.licence_view as select * from public.licence;
create materialized view public.licence_copy as select * from public.licence;
create sequence public.licence_number;
create temporary table draft (id int);

select throws_ok(format('select pgtrail.track(%s)', arguments), '22023', message)
from (values
    ('null', 'target is required'),
    ('''public.licence_view''', 'public.licence_view cannot be tracked'),
    ('''public.licence_copy''', 'public.licence_copy cannot be tracked'),
    ('''public.licence_number''', 'public.licence_number cannot be tracked'),
    ('''pg_temp.draft''', 'draft cannot be tracked'),
    ('''public.audit_log''', 'public.audit_log cannot be tracked'),
    ('''pgtrail.alert''', 'pgtrail.alert cannot be tracked'),
    ('''pg_catalog.pg_class''', 'pg_class cannot be tracked'),
    ('''public.licence'', organisation_column => ''nobody''', 'public.licence has no column nobody'),
    ('''public.licence'', organisation_column => ''name''', 'organisation_column must be of type uuid'),
    ('''public.licence'', organisation_column => ''ctid''', 'public.licence has no column ctid'),
    ('''public.licence'', exclude => ''{name,nothing}''', 'public.licence has no column nothing'),
    ('''public.licence'', redact => ''{nothing}''', 'public.licence has no column nothing'),
    ('''public.licence'', on_failure => ''ignore''', 'on_failure must be block or warn'),
    ('''public.licence'', on_failure => null', 'on_failure must be block or warn')
) as refused (arguments, message);
select throws_ok('select pgtrail.track(4294967295::oid::regclass)', '22023', null, 'a number of no table');

select is_empty($$ select from pgtrail.tracked_table where entity_type not like 'public.organisation%' $$, 'none of it is tracked');

select * from finish();
rollback;
