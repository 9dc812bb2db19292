create or replace function pgtrail._seal_lag_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_blocker record;
begin
    check_name := 'seal lag';
    -- A prepared transaction has no process.
    select oldest.* into v_blocker
    from (
        select activity.pid::text as pid, activity.datname::text as database, activity.xact_start as started_at,
            activity.backend_xid as xid
        from pg_catalog.pg_stat_activity as activity
        where activity.backend_xid is not null and activity.pid <> pg_backend_pid()
        union all
        select format('prepared transaction %L', prepared.gid), prepared.database, prepared.prepared,
            prepared.transaction
        from pg_catalog.pg_prepared_xacts as prepared
    ) as oldest
    order by age(oldest.xid) desc
    limit 1;
    status := case when v_blocker.started_at < clock_timestamp() - interval '10 minutes' then 'critical' else 'ok' end;
    detail := case
        when v_blocker.pid is null then 'no open transaction holds sealing back'
        else format('pid %s in database %s holds sealing back since %s', v_blocker.pid, v_blocker.database,
                    date_trunc('second', clock_timestamp() - v_blocker.started_at))
    end;
    return next;
end;
$$;

revoke all on function pgtrail._seal_lag_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._seal_lag_health to pgtrail_auditor;
comment on function pgtrail._seal_lag_health is
    'Names the oldest transaction that holds the watermark back; critical after 10 minutes.';
