create or replace function pgtrail._monthly_partitions(trail regclass)
    returns table (partition regclass, month timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    -- ensure_partitions names them so. A default partition has no month.
    return query
    select class.oid::regclass, to_timestamp(right(class.relname, 7), 'YYYY_MM')
    from pg_catalog.pg_inherits as inheritance
    join pg_catalog.pg_class as class on class.oid = inheritance.inhrelid
    where inheritance.inhparent = _monthly_partitions.trail and class.relname ~ '_[0-9]{4}_[0-9]{2}$';
end;
$$;

revoke all on function pgtrail._monthly_partitions from public, anon, authenticated, service_role;
grant execute on function pgtrail._monthly_partitions to pgtrail_auditor;
comment on function pgtrail._monthly_partitions is
    'Returns the partitions of a trail and the beginning of the month (UTC) that each is for.';
