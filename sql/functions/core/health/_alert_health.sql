create or replace function pgtrail._alert_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint;
begin
    check_name := 'alerts';
    select count(*) into v_found
    from pgtrail.alert as alert
    where alert.severity = 'critical' and alert.resolved_at is null;
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s critical alerts are open', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._alert_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._alert_health to pgtrail_auditor;
comment on function pgtrail._alert_health is 'Counts the critical alerts that are open.';
