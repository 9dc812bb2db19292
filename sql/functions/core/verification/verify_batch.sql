-- A batch is compared as a set: leaf hashes of its tiles against the entries that lie between its positions.
create or replace function pgtrail.verify_batch(first_leaf bigint)
    returns table (defect text, trail_name text, entry_id uuid, detail text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_log pgtrail.log;
    v_batch pgtrail.batch;
    v_size bigint;
    v_tile record;
    v_damaged bigint[] := '{}'::bigint[];
    v_content bigint;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    select batch.* into v_batch
    from pgtrail.batch as batch
    where batch.log_id = 1 and batch.first_leaf = verify_batch.first_leaf;
    if v_batch.first_leaf is null then
        raise exception 'no batch begins with this leaf'
            using errcode = 'PT404',
                  detail = format('leaf %s', coalesce(verify_batch.first_leaf::text, 'null')),
                  hint = 'Batches are listed in pgtrail.batch.';
    end if;
    v_size := v_batch.first_leaf + v_batch.entries;

    -- Tiles come first: a leaf that a damaged tile holds says nothing about its entry.
    for v_tile in select damaged.* from pgtrail._damaged_tiles(v_batch, v_log.tree_size) as damaged loop
        if v_tile.level = 0 then
            v_damaged := v_damaged || v_tile.tile_index;
        end if;
        defect := 'tile damaged';
        detail := format('tile %s of level %s is not what its place in the tree says', v_tile.tile_index, v_tile.level);
        return next;
    end loop;
    -- The last tile of the log has no level above yet: the root of the log vouches for it.
    if (v_size - 1) >> 8 = v_log.tree_size >> 8 and not pgtrail.verify_checkpoint(v_log.tree_size, v_log.root) then
        v_damaged := v_damaged || ((v_size - 1) >> 8);
    end if;

    if not pgtrail.verify_checkpoint(v_size, v_batch.root) then
        defect := 'root mismatch';
        detail := format('the tiles do not give the root of tree size %s', v_size);
        return next;
    end if;

    select coalesce(sum(content.entries), 0) into v_content
    from pgtrail.batch_content as content
    where content.log_id = 1 and content.first_leaf = v_batch.first_leaf;
    if v_content <> v_batch.entries then
        defect := 'log damaged';
        detail := format('the content of batch %s adds up to %s entries, not %s', v_batch.first_leaf, v_content,
                         v_batch.entries);
        return next;
    end if;
    if exists (
        select from pgtrail.batch_content as content
        where content.log_id = 1
            and content.first_leaf = v_batch.first_leaf
            and not exists (
                select from pgtrail.entry_format as format
                where format.trail_name = content.trail_name and format.version = content.version)
    ) then
        defect := 'log damaged';
        detail := format('batch %s has entries of a format that pgtrail.entry_format lacks', v_batch.first_leaf);
        return next;
        return;
    end if;

    return query select found.* from pgtrail._batch_entry_defects(v_batch, v_damaged) as found;
end;
$$;

revoke all on function pgtrail.verify_batch from public, anon, authenticated, service_role;
grant execute on function pgtrail.verify_batch to pgtrail_auditor;
comment on function pgtrail.verify_batch is
    'Recomputes one batch of the log from its entries and returns what does not fit; no row when it is intact. '
    'Defects: altered, missing, inserted (below the watermark), tile damaged, root mismatch, log damaged. Entries '
    'that a retention policy purged and columns that were erased are none. Raises PT404 when no batch begins with '
    'that leaf.';
