create or replace function pgtrail.batch_at(leaf_index bigint)
    returns table (first_leaf bigint, next_leaf bigint)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select batch.first_leaf, batch.first_leaf + batch.entries
    from pgtrail.batch as batch
    where batch.log_id = 1 and batch.first_leaf + batch.entries > batch_at.leaf_index
    order by batch.first_leaf
    limit 1;
end;
$$;

revoke all on function pgtrail.batch_at from public, anon, authenticated, service_role;
grant execute on function pgtrail.batch_at to pgtrail_auditor;
comment on function pgtrail.batch_at is
    'Returns the batch that has a leaf, or the first one behind it: its first leaf, for verify_batch(), and the leaf '
    'behind its last. No row behind the last batch.';
