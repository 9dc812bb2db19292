create or replace function pgtrail._leaves(first_leaf bigint, entries int)
    returns table (leaf_index bigint, hash bytea)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return query
    select place.leaf_index, substr(tile.hashes, ((place.leaf_index & 255) * 32 + 1)::int, 32)
    from generate_series(_leaves.first_leaf, _leaves.first_leaf + _leaves.entries - 1) as place (leaf_index)
    left join pgtrail.tile as tile
        on tile.log_id = 1 and tile.level = 0 and tile.tile_index = place.leaf_index >> 8;
end;
$$;

revoke all on function pgtrail._leaves from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._leaves is 'Returns leaves of the log with their hashes; null where the tile is missing.';
