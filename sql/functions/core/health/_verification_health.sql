create or replace function pgtrail._verification_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
begin
    check_name := 'verification';
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    status := case
        when v_log.tree_size > 0
            and coalesce(v_log.verified_at < clock_timestamp() - interval '26 hours', true) then 'warning'
        else 'ok'
    end;
    detail := case
        when v_log.verified_at is null then 'not run yet'
        else format('last run %s ago, goes on at leaf %s', date_trunc('second', clock_timestamp() - v_log.verified_at),
                    v_log.verified_leaf)
    end;
    return next;
end;
$$;

revoke all on function pgtrail._verification_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._verification_health to pgtrail_auditor;
comment on function pgtrail._verification_health is
    'Tells when the log was verified last, and where verification goes on.';
