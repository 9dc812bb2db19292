create or replace function pgtrail._partition_health()
    returns table (check_name text, status text, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_months bigint;
begin
    check_name := 'partitions ahead';
    select coalesce(min(ahead.months), 0) into v_months
    from (
        select count(*) filter (where part.month > now()) as months
        from pgtrail.trail as registered
        left join lateral pgtrail._monthly_partitions(registered.relation) as part on true
        group by registered.trail_name
    ) as ahead;
    status := case when v_months < 2 then 'critical' when v_months < 12 then 'warning' else 'ok' end;
    detail := format('%s months', v_months);
    return next;
end;
$$;

revoke all on function pgtrail._partition_health from public, anon, authenticated, service_role;
grant execute on function pgtrail._partition_health to pgtrail_auditor;
comment on function pgtrail._partition_health is
    'Tells for how many months ahead every trail has partitions; critical below 2.';
