create or replace function pgtrail._raise_tiles(log_id int, from_size bigint, to_size bigint)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_level int := 0;
    v_first bigint;
    v_last bigint;
begin
    loop
        -- Tiles [v_first, v_last) of this level became full.
        v_first := _raise_tiles.from_size >> (8 * (v_level + 1));
        v_last := _raise_tiles.to_size >> (8 * (v_level + 1));
        exit when v_first = v_last;
        insert into pgtrail.tile as tile (log_id, level, tile_index, hashes)
        select _raise_tiles.log_id, v_level + 1, child.tile_index >> 8,
            string_agg(pgtrail._subtree_hash(child.hashes), ''::bytea order by child.tile_index)
        from pgtrail.tile as child
        where child.log_id = _raise_tiles.log_id
            and child.level = v_level
            and child.tile_index >= v_first and child.tile_index < v_last
        group by child.tile_index >> 8
        on conflict on constraint tile_pkey do update set hashes = tile.hashes || excluded.hashes;
        v_level := v_level + 1;
    end loop;
end;
$$;

revoke all on function pgtrail._raise_tiles from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._raise_tiles is
    'Hashes the tiles that became full between two sizes of the tree into the levels above (C2SP tlog-tiles: only full '
    'tiles are hashed upwards).';
