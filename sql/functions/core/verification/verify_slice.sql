-- Sealing each minute makes 1,440 batches a day, so a slice is bounded by time rather than by number.
create or replace function pgtrail.verify_slice(batches int default 10000)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_longest constant interval := interval '10 seconds';
    v_started timestamptz := clock_timestamp();
    v_first_leaf bigint;
    v_next bigint := 0::bigint;
begin
    if (verify_slice.batches > 0) is not true then
        raise exception 'batches must be 1 or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(verify_slice.batches::text, 'null')),
                  hint = 'Leave it out to verify for up to 10 seconds.';
    end if;

    return query select found.* from pgtrail.verify_head(100) as found;

    for v_first_leaf, v_next in
        select batch.first_leaf, batch.first_leaf + batch.entries
        from pgtrail.batch as batch
        where batch.log_id = 1
            and batch.first_leaf >= (select head.verified_leaf from pgtrail.log as head where head.log_id = 1)
        order by batch.first_leaf
        limit verify_slice.batches
    loop
        return query select found.* from pgtrail.verify_batch(v_first_leaf) as found;
        exit when clock_timestamp() > v_started + c_longest;
    end loop;

    -- Behind the last batch it begins again.
    update pgtrail.log as head
    set verified_leaf = case when v_next < head.tree_size then v_next else 0 end,
        verified_at = clock_timestamp()
    where head.log_id = 1;
end;
$$;

revoke all on function pgtrail.verify_slice from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.verify_slice is
    'Verifies the head of the log and the next batches for up to 10 seconds, goes on where it stopped the last time, '
    'begins again at the end, and returns the defects. For regular calls. Raises 22023 (batches).';
