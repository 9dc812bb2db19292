create or replace function pgtrail._trail_tables()
    returns table (trail regclass, relation regclass, name text, is_partition boolean)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select registered.relation, registered.relation, registered.relation::text, false
    from pgtrail.trail as registered
    union all
    select registered.relation, class.oid::regclass, format('pgtrail_partitions.%I', class.relname), true
    from pgtrail.trail as registered
    join pg_catalog.pg_inherits as inheritance on inheritance.inhparent = registered.relation
    join pg_catalog.pg_class as class on class.oid = inheritance.inhrelid;
end;
$$;

revoke all on function pgtrail._trail_tables from public, anon, authenticated, service_role;
grant execute on function pgtrail._trail_tables to pgtrail_auditor;
comment on function pgtrail._trail_tables is
    'Returns every trail and each of its partitions, with the name that a statement gives it.';
