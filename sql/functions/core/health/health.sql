-- A check is a function of this room that returns a row of this shape; pgtrail.maintain() makes alerts of them.
create or replace function pgtrail.health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select found.* from pgtrail._seal_health() as found
    union all
    select found.* from pgtrail._maintenance_health() as found
    union all
    select found.* from pgtrail._seal_lag_health() as found
    union all
    select found.* from pgtrail._published_checkpoint_health() as found
    union all
    select found.* from pgtrail._unsealable_entry_health() as found
    union all
    select found.* from pgtrail._verification_health() as found
    union all
    select found.* from pgtrail._partition_health() as found
    union all
    select found.* from pgtrail._guard_health() as found
    union all
    select found.* from pgtrail._row_security_health() as found
    union all
    select found.* from pgtrail._grant_health() as found
    union all
    select found.* from pgtrail._alert_health() as found
    union all
    select found.* from pgtrail._retention_health() as found
    union all
    select found.* from pgtrail._tracking_health() as found
    union all
    select found.* from pgtrail._failed_write_health() as found
    union all
    select found.* from pgtrail._job_health() as found;
end;
$$;

revoke all on function pgtrail.health from public, anon, authenticated, service_role;
grant execute on function pgtrail.health to pgtrail_auditor;
comment on function pgtrail.health is
    'Returns how trails and log are doing, a row a check; status is ok, warning or critical. pg_monitor sees who holds '
    'sealing back; others see their own sessions.';
