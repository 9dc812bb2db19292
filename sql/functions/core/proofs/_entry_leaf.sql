-- The leaf is found by its own hash, not by counting, so that it is found when its neighbours were purged.
create or replace function pgtrail._entry_leaf(
    trail_name     text,
    entry_id       uuid,
    out leaf_index bigint,
    out entry      bytea,
    out sealed     boolean
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_era smallint;
    v_tx_id xid8;
    v_batch pgtrail.batch;
    v_leaf bytea;
    v_found boolean;
begin
    sealed := false;
    execute format(
        'select true, row.era, row.tx_id from %s as row where row.id = $1',
        (
            select registered.relation
            from pgtrail.trail as registered
            where registered.trail_name = _entry_leaf.trail_name
        ))
    into v_found, v_era, v_tx_id
    using _entry_leaf.entry_id;
    if v_found is null then
        return;
    end if;

    select late.leaf_index into leaf_index
    from pgtrail.late_entry as late
    where late.trail_name = _entry_leaf.trail_name and late.entry_id = _entry_leaf.entry_id;

    if leaf_index is not null then
        select batch.* into v_batch
        from pgtrail.batch as batch
        where batch.log_id = 1 and batch.first_leaf <= _entry_leaf.leaf_index
        order by batch.first_leaf desc
        limit 1;
    else
        select batch.* into v_batch
        from pgtrail.batch as batch
        where batch.log_id = 1
            and batch.era = v_era
            and (batch.to_tx_id, batch.to_trail_name, batch.to_entry_id)
                >= (v_tx_id, _entry_leaf.trail_name collate "C", _entry_leaf.entry_id)
        order by batch.to_tx_id, batch.to_trail_name, batch.to_entry_id
        limit 1;
    end if;
    if v_batch.first_leaf is null then
        return;
    end if;
    sealed := true;

    entry := pgtrail._entry_bytes(
        _entry_leaf.trail_name, _entry_leaf.entry_id,
        coalesce(pgtrail._sealed_version(v_batch.first_leaf, _entry_leaf.trail_name), 1::smallint));
    v_leaf := sha256('\x00'::bytea || entry);

    select tile.tile_index * 256 + (found.place - 1) / 32 into leaf_index
    from pgtrail.tile as tile
    cross join lateral (select position(v_leaf in tile.hashes) as place offset 0) as found
    where tile.log_id = 1
        and tile.level = 0
        and tile.tile_index between v_batch.first_leaf >> 8 and (v_batch.first_leaf + v_batch.entries - 1) >> 8
        and found.place % 32 = 1
    order by tile.tile_index
    limit 1;
end;
$$;

revoke all on function pgtrail._entry_leaf from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entry_leaf is
    'Finds the leaf of an entry. sealed: its batch exists. leaf_index is null when the entry does not exist, is not '
    'sealed, or is not in the log as it is now; entry is its encoding.';
