create or replace function pgtrail.archivable_months()
    returns table (trail_name text, month date, entries bigint)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return query
    select due.trail_name, due.month::date, pgtrail._sealed_entry_count(due.trail_name, due.month::date)
    from (
        select registered.trail_name, part.partition, part.month
        from pgtrail.trail as registered
        cross join lateral pgtrail._monthly_partitions(registered.relation) as part
        where exists (
                select from pgtrail.retention_policy as policy
                where policy.trail_name = registered.trail_name and policy.keep is not null)
            and part.month + interval '1 month' <= now() - (
                select setting.keep_at_least from pgtrail.retention_setting as setting)
        -- The cheap questions first.
        offset 0
    ) as due
    where not pgtrail._is_archived(due.trail_name, due.month::date)
        and pgtrail._is_partition_due(due.trail_name, due.partition, due.month, now())
    order by due.trail_name, due.month;
end;
$$;

revoke all on function pgtrail.archivable_months from public, anon, authenticated, service_role;
grant execute on function pgtrail.archivable_months to pgtrail_auditor;
comment on function pgtrail.archivable_months is
    'Returns the months of trails that retention may drop as a whole and that are not archived, with how many entries '
    'the log has of each. Months without entries are none of them.';
