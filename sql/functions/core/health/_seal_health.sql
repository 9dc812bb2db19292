create or replace function pgtrail._seal_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
begin
    check_name := 'seal';
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    status := case
        when v_log.sealed_at < clock_timestamp() - interval '10 minutes'
            and pgtrail._trails_between(v_log.tx_id, pg_snapshot_xmax(pg_current_snapshot())) <> '{}'::text[]
            then 'critical'
        else 'ok'
    end;
    detail := format('last run %s ago, %s leaves', date_trunc('second', clock_timestamp() - v_log.sealed_at),
                     v_log.tree_size);
    return next;
end;
$$;

revoke all on function pgtrail._seal_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._seal_health to pgtrail_auditor;
comment on function pgtrail._seal_health is
    'Tells when entries were sealed last; critical when some have waited for more than 10 minutes since.';
