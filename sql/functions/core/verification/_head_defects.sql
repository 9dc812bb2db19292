create or replace function pgtrail._head_defects()
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_last pgtrail.batch;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    select batch.* into v_last
    from pgtrail.batch as batch
    where batch.log_id = 1
    order by batch.first_leaf desc
    limit 1;

    return query
    select 'log damaged'::text, null::text, null::uuid, wrong.detail
    from (values
        (
            v_last.era > v_log.era
                or v_last.era = v_log.era and pgtrail._batch_end(v_last) > pgtrail._head_position(v_log),
            'the position of the log lies before the end of its last batch'
        ),
        (
            v_log.tx_id > pgtrail._next_tx_id(v_log),
            'the position of the log lies in a transaction that has not begun'
        ),
        (
            v_log.origin is distinct from (
                select used.origin from pgtrail.origin as used
                where used.log_id = 1
                order by used.started_at desc
                limit 1),
            'the origin of the log is not the one that pgtrail.origin has last'
        ),
        (
            v_log.tree_size <> coalesce(v_last.first_leaf + v_last.entries, 0),
            format('the log has %s leaves, its batches end at %s', v_log.tree_size,
                   coalesce(v_last.first_leaf + v_last.entries, 0))
        )
    ) as wrong (found, detail)
    where wrong.found;

    if not pgtrail.verify_checkpoint(v_log.tree_size, v_log.root) then
        return query select 'root mismatch'::text, null::text, null::uuid,
            format('the tiles do not give the root of the log at size %s', v_log.tree_size);
    end if;
    return query
    select 'tile damaged'::text, null::text, null::uuid,
        format('tile %s of level %s holds hashes beyond the size of the log', tile.tile_index, tile.level)
    from pgtrail.tile as tile
    where tile.log_id = 1
        and tile.tile_index * 256 + octet_length(tile.hashes) / 32 > v_log.tree_size >> (8 * tile.level);
end;
$$;

revoke all on function pgtrail._head_defects from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._head_defects is
    'Returns the defects of the head of the log: its position, origin, size and root, and tiles beyond its size.';
