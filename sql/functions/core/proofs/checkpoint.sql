create or replace function pgtrail.checkpoint(tree_size bigint default null)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_size bigint;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    v_size := coalesce(checkpoint.tree_size, v_log.tree_size);
    perform pgtrail._require_tree_size(v_size, v_log.tree_size);

    return v_log.origin || E'\n' || v_size || E'\n'
        || encode(
            case when v_size = v_log.tree_size then v_log.root else pgtrail._range_hash(v_log.log_id, 0, v_size) end,
            'base64')
        || E'\n';
end;
$$;

revoke all on function pgtrail.checkpoint from public, anon, authenticated, service_role;
grant execute on function pgtrail.checkpoint to pgtrail_auditor;
comment on function pgtrail.checkpoint is
    'Returns the body of the checkpoint of a size of the tree, by default the present one (C2SP tlog-checkpoint): '
    'origin, size, base64 of the root hash, a line each. To be signed outside the database. Raises 22023 for a size '
    'the tree never had.';
