-- It asks for three days ago: what became due yesterday may wait for somebody who used the partition.
create or replace function pgtrail._retention_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_finished_at timestamptz := (select max(run.finished_at) from pgtrail.purge_run as run);
    v_overdue bigint;
begin
    check_name := 'retention';
    if not exists (select from pgtrail.retention_policy as policy where policy.keep is not null) then
        status := 'ok';
        detail := 'no policy: everything is kept for ever';
    elsif not pgtrail._is_retention_enabled() then
        status := 'warning';
        detail := 'this is a copy of the database: nothing is removed until pgtrail.enable_retention()';
    elsif coalesce(v_finished_at, (select min(policy.set_at) from pgtrail.retention_policy as policy))
        < clock_timestamp() - interval '26 hours'
    then
        status := 'critical';
        detail := format('has not run since %s', coalesce(date_trunc('second', v_finished_at)::text, 'ever'));
    else
        v_overdue := pgtrail._overdue_month_count(now() - interval '3 days');
        status := case when v_overdue > 0 then 'critical' else 'ok' end;
        detail := case
            when v_overdue > 0
                then format('%s months of organisations are past their policy and still there', v_overdue)
            when v_finished_at is null then 'set, and runs with the next pgtrail.maintain()'
            else format('last run %s ago', date_trunc('second', clock_timestamp() - v_finished_at))
        end;
    end if;
    return next;
end;
$$;

revoke all on function pgtrail._retention_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._retention_health to pgtrail_auditor;
comment on function pgtrail._retention_health is
    'Tells when retention ran last; critical after 26 hours, or when what became due three days ago is still there.';
