create or replace function pgtrail._monthly_partitions(trail regclass)
    returns table (partition regclass, month timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
begin
    for partition in
        select inheritance.inhrelid::regclass
        from pg_catalog.pg_inherits as inheritance
        where inheritance.inhparent = _monthly_partitions.trail
    loop
        -- ensure_partitions names them so.
        month := to_timestamp(right(partition::text, 7), 'YYYY_MM');
        return next;
    end loop;
end;
$$;

revoke all on function pgtrail._monthly_partitions(regclass) from public, anon, authenticated, service_role;
grant execute on function pgtrail._monthly_partitions(regclass) to pgtrail_auditor;
comment on function pgtrail._monthly_partitions(regclass) is
    'Returns the partitions of a trail and the beginning of the month (UTC) that each is for.';
