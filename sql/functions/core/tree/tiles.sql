create or replace function pgtrail.tiles(level int, tile_indexes bigint[])
    returns table (tile_index bigint, hashes bytea)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select tile.tile_index, tile.hashes
    from pgtrail.tile as tile
    where tile.log_id = 1
        and tile.level = tiles.level
        and tile.tile_index = any (tiles.tile_indexes)
    order by tile.tile_index;
end;
$$;

revoke all on function pgtrail.tiles from public, anon, authenticated, service_role;
grant execute on function pgtrail.tiles to pgtrail_auditor;
comment on function pgtrail.tiles is
    'Returns tiles of a level of the log (C2SP tlog-tiles), with up to 256 hashes of 32 bytes each; those that the log '
    'does not have are left out.';
