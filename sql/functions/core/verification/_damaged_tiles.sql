-- Of level 0 all are looked at that the batch has leaves in; of the levels above, those that became full with it.
create or replace function pgtrail._damaged_tiles(batch pgtrail.batch, tree_size bigint)
    returns table (level int, tile_index bigint)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_first bigint := (_damaged_tiles.batch).first_leaf;
    v_end bigint := (_damaged_tiles.batch).first_leaf + (_damaged_tiles.batch).entries;
begin
    return query
    select place.level, place.tile_index
    from (
        select 0 as level, own.tile_index
        from generate_series(v_first >> 8, (v_end - 1) >> 8) as own (tile_index)
        union all
        select above.level, own.tile_index
        from generate_series(1, 6) as above (level)
        cross join generate_series(v_first >> (8 * (above.level + 1)), (v_end >> (8 * (above.level + 1))) - 1)
            as own (tile_index)
    ) as place
    left join pgtrail.tile as child
        on child.log_id = 1 and child.level = place.level and child.tile_index = place.tile_index
    left join pgtrail.tile as parent
        on parent.log_id = 1 and parent.level = place.level + 1 and parent.tile_index = place.tile_index >> 8
    where coalesce(octet_length(child.hashes), 0)
            < 32 * least(256, (_damaged_tiles.tree_size >> (8 * place.level)) - place.tile_index * 256)
        or octet_length(child.hashes) = 8192
            and substr(parent.hashes, ((place.tile_index & 255) * 32 + 1)::int, 32)
                is distinct from pgtrail._subtree_hash(child.hashes)
    order by place.level, place.tile_index;
end;
$$;

revoke all on function pgtrail._damaged_tiles from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._damaged_tiles is
    'Returns the tiles of a batch that are missing, too short, or not what the level above has of them.';
