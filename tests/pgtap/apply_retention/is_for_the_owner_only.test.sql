-- As is all that decides what is removed, and when.
begin;
select plan(20);

create temporary table call (name text, statement text);
insert into call values
    ('apply_retention', 'select pgtrail.apply_retention(now(), true)'),
    ('enable_retention', 'select pgtrail.enable_retention()'),
    ('set_retention', 'select pgtrail.set_retention(''public.audit_log'', ''1 year'')'),
    ('set_retention_floor', 'select pgtrail.set_retention_floor(''1 year'')'),
    ('erase', 'select pgtrail.erase(''public.audit_log'', gen_random_uuid(), ''{details}'', ''a request'')');
grant select on call to public;

select tests.act_as('service');
select throws_ok(statement, '42501', 'permission denied for function ' || name, name || ' for service_role') from call;
select tests.act_as('auditor');
select throws_ok(statement, '42501', 'permission denied for function ' || name, name || ' for an auditor') from call;
select tests.act_as('org_admin_a');
select throws_ok(statement, '42501', 'permission denied for function ' || name, name || ' for an org_admin') from call;
select tests.act_as('anon');
select throws_ok(statement, '42501', null, name || ' for anon') from call;

select * from finish();
rollback;
