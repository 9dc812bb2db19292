create or replace function pgtrail.verify_checkpoint(tree_size bigint, root bytea)
    returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size bigint;
begin
    select head.tree_size into strict v_size from pgtrail.log as head where head.log_id = 1;
    return coalesce(
        verify_checkpoint.tree_size between 0 and v_size
        and pgtrail._range_hash(1, 0, verify_checkpoint.tree_size) = verify_checkpoint.root,
        false);
exception
    -- A tree with a hole in it does not hold what it held.
    when data_corrupted then
        return false;
end;
$$;

revoke all on function pgtrail.verify_checkpoint from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_checkpoint to pgtrail_auditor;
comment on function pgtrail.verify_checkpoint is
    'Tells whether the log still has, at that size, the root hash that was published. False when the log is '
    'shorter: after a point-in-time recovery, or when its end was cut off.';
