begin;
select plan(4);

create function pg_temp.status(name text) returns text language sql as $$
    select status from pgtrail.health() where check_name = name
$$;

select tests.act_as_owner();
select is(pg_temp.status('grants'), 'ok');
grant select on public.audit_log to public;
select is(pg_temp.status('grants'), 'critical', 'to read a trail');
revoke select on public.audit_log from public;
grant insert on public.audit_log to public;
select is(pg_temp.status('grants'), 'critical', 'or to write it');
revoke insert on public.audit_log from public;
select is(pg_temp.status('grants'), 'ok', 'until it is revoked');

select * from finish();
rollback;
