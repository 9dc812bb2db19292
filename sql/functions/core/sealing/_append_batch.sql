create or replace function pgtrail._append_batch(
    head    pgtrail.log,
    leaves  bytea[],
    content jsonb,
    ends_at pgtrail.log_position
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size bigint := (_append_batch.head).tree_size + cardinality(_append_batch.leaves);
    v_root bytea;
    v_starts_at pgtrail.log_position;
begin
    insert into pgtrail.tile as tile (log_id, level, tile_index, hashes)
    select (_append_batch.head).log_id, 0, ((_append_batch.head).tree_size + leaf.place - 1) >> 8,
        string_agg(leaf.hash, ''::bytea order by leaf.place)
    from unnest(_append_batch.leaves) with ordinality as leaf (hash, place)
    group by ((_append_batch.head).tree_size + leaf.place - 1) >> 8
    on conflict on constraint tile_pkey do update set hashes = tile.hashes || excluded.hashes;
    perform pgtrail._raise_tiles((_append_batch.head).log_id, (_append_batch.head).tree_size, v_size);
    v_root := pgtrail._range_hash((_append_batch.head).log_id, 0, v_size);

    -- A batch begins where the one before it ended, so that no position lies between two batches.
    select (pgtrail._batch_end(batch)).* into v_starts_at
    from pgtrail.batch as batch
    where batch.log_id = (_append_batch.head).log_id and batch.era = (_append_batch.head).era
    order by batch.first_leaf desc
    limit 1;
    if not found then
        v_starts_at := pgtrail._position_before('0'::xid8);
    end if;

    insert into pgtrail.batch (
        log_id, first_leaf, entries, root, era,
        from_tx_id, from_trail_name, from_entry_id, to_tx_id, to_trail_name, to_entry_id)
    values (
        (_append_batch.head).log_id, (_append_batch.head).tree_size, cardinality(_append_batch.leaves), v_root,
        (_append_batch.head).era,
        v_starts_at.tx_id, v_starts_at.trail_name, v_starts_at.entry_id,
        (_append_batch.ends_at).tx_id, (_append_batch.ends_at).trail_name, (_append_batch.ends_at).entry_id);

    insert into pgtrail.batch_content (log_id, first_leaf, trail_name, month, entries, version)
    select (_append_batch.head).log_id, (_append_batch.head).tree_size, part.trail_name, part.month, part.entries,
        part.version
    from jsonb_to_recordset(_append_batch.content)
        as part (trail_name text, month date, entries int, version smallint);

    update pgtrail.log as log
    set tree_size = v_size, root = v_root
    where log.log_id = (_append_batch.head).log_id;
end;
$$;

revoke all on function pgtrail._append_batch from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._append_batch is
    'Appends leaves to the tree: tiles, root, a row of pgtrail.batch, and its content as '
    '[{trail_name, month, version, entries}].';
