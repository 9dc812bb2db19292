create or replace function pgtrail._failed_write_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_found bigint := (select count(*) from pgtrail.failed_write as failed where failed.replayed_at is null);
begin
    check_name := 'failed writes';
    status := case when v_found > 0 then 'critical' else 'ok' end;
    detail := format('%s wait in pgtrail.failed_write for pgtrail.replay_failed_writes()', v_found);
    return next;
end;
$$;

revoke all on function pgtrail._failed_write_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._failed_write_health to pgtrail_auditor;
comment on function pgtrail._failed_write_health is 'Counts the captured changes that could not be recorded.';
