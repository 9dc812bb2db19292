create or replace function pgtrail.published_checkpoints()
    returns table (tree_size bigint, note text, published_at timestamptz)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select published.tree_size, published.note, published.published_at
    from pgtrail.published_checkpoint as published
    join pgtrail.log as head on head.log_id = published.log_id and head.origin = published.origin
    where published.log_id = 1
    order by published.tree_size desc;
end;
$$;

revoke all on function pgtrail.published_checkpoints from public, anon, authenticated, service_role;
grant execute on function pgtrail.published_checkpoints to pgtrail_auditor;
comment on function pgtrail.published_checkpoints is
    'Returns the signed checkpoints of the present origin, the largest tree first: what record_published_checkpoint() '
    'keeps.';
