create or replace function pgtrail._partition_findings()
    returns table (check_name text, level text, message text, fix text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    return query
    select 'partitions', 'error',
        format('%s: no partition for %s', registered.relation, to_char(ahead.month, 'YYYY-MM')),
        format('select pgtrail.ensure_partitions(%L, now(), now() + interval ''13 months'');',
               registered.relation::text)
    from pgtrail.trail as registered
    cross join generate_series(
        date_trunc('month', now()), date_trunc('month', now()) + interval '2 months', interval '1 month')
        as ahead (month)
    where not exists (
        select from pgtrail._monthly_partitions(registered.relation) as part where part.month = ahead.month)
    union all
    select 'partitions', 'error',
        format('%s has a default partition', registered.relation),
        format('alter table %s detach partition %s;', registered.relation, partitioned.partdefid::regclass)
    from pgtrail.trail as registered
    join pg_catalog.pg_partitioned_table as partitioned on partitioned.partrelid = registered.relation
    where partitioned.partdefid <> 0;
end;
$$;

revoke all on function pgtrail._partition_findings from public, anon, authenticated, service_role;
grant execute on function pgtrail._partition_findings to pgtrail_auditor;
comment on function pgtrail._partition_findings is
    'Returns each of this and the next two months that a trail has no partition for, and each default partition.';
