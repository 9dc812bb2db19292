create or replace function pgtrail._due_partitions(as_of timestamptz)
    returns table (
        trail_name    text,
        relation      regclass,
        partition     regclass,
        month         timestamptz,
        organisations jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return query
    select registered.trail_name, registered.relation, part.partition, part.month,
        coalesce(due.organisations, '[]'::jsonb)
    from pgtrail.trail as registered
    cross join lateral pgtrail._monthly_partitions(registered.relation) as part
    left join (
        select one.trail_name, old.month,
            jsonb_agg(to_jsonb(old) order by old.organisation_id) as organisations
        from pgtrail.trail as one
        cross join lateral pgtrail._due_months(one.trail_name, _due_partitions.as_of) as old
        group by one.trail_name, old.month
    ) as due on due.trail_name = registered.trail_name and due.month = part.month
    where due.organisations is not null
        -- Or the partition is empty.
        or part.month + interval '1 month'
            <= _due_partitions.as_of - pgtrail._retention_period(registered.trail_name, null)
    order by registered.trail_name, part.month;
end;
$$;

revoke all on function pgtrail._due_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._due_partitions is
    'Returns the partitions in which something may be past its policy at as_of, or that are empty and past that of the '
    'trail, with the rows of _due_months() as JSON.';
