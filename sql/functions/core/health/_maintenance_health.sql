create or replace function pgtrail._maintenance_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_maintained_at timestamptz := (select head.maintained_at from pgtrail.log as head where head.log_id = 1);
begin
    check_name := 'maintenance';
    status := case
        when coalesce(v_maintained_at, (select min(registered.registered_at) from pgtrail.trail as registered))
            < clock_timestamp() - interval '26 hours' then 'critical'
        else 'ok'
    end;
    detail := case
        when v_maintained_at is null then 'not run yet'
        else format('last run %s ago', date_trunc('second', clock_timestamp() - v_maintained_at))
    end;
    return next;
end;
$$;

revoke all on function pgtrail._maintenance_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._maintenance_health to pgtrail_auditor;
comment on function pgtrail._maintenance_health is 'Tells when maintain() ran last; critical after 26 hours.';
