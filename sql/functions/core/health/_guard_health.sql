create or replace function pgtrail._guard_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail._guard_findings());
begin
    check_name := 'guards';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format(
        '%s guards of trails or partitions are missing or not enabled always: see pgtrail doctor', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._guard_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._guard_health to pgtrail_auditor;
comment on function pgtrail._guard_health is 'Counts what pgtrail._guard_findings() finds.';
