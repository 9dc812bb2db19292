create or replace function pgtrail._trail_tables()
    returns table (trail regclass, relation regclass, name text, is_partition boolean)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- A partition may have partitions.
    return query
    select registered.relation, tree.relid, tree.relid::text, tree.level > 0
    from pgtrail.trail as registered
    cross join lateral pg_partition_tree(registered.relation) as tree
    order by registered.trail_name, tree.level;
end;
$$;

revoke all on function pgtrail._trail_tables from public, anon, authenticated, service_role;
grant execute on function pgtrail._trail_tables to pgtrail_auditor;
comment on function pgtrail._trail_tables is
    'Returns every trail and each of its partitions, with the name that a statement gives it.';
