create or replace function pgtrail._grant_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail._privilege_findings());
begin
    check_name := 'grants';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s privileges on trails or partitions that nobody should have: see pgtrail doctor', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._grant_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._grant_health to pgtrail_auditor;
comment on function pgtrail._grant_health is 'Counts what pgtrail._privilege_findings() finds.';
