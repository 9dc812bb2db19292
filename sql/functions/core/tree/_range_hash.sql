-- The binary decomposition of [from_leaf, to_leaf), from the right: each perfect subtree is a slice of one tile.
create or replace function pgtrail._range_hash(log_id int, from_leaf bigint, to_leaf bigint)
    returns bytea
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_rest bigint := _range_hash.to_leaf - _range_hash.from_leaf;
    v_end bigint := _range_hash.to_leaf;
    v_height int := 0;
    v_start bigint;
    v_slice bytea;
    v_hash bytea;
begin
    if v_rest = 0 then
        return sha256(''::bytea);
    end if;
    while v_rest > 0 loop
        if v_rest & 1 = 1 then
            v_end := v_end - (1::bigint << v_height);
            -- The tile of level height / 8 in units of 256^level leaves.
            v_start := v_end >> (v_height / 8 * 8);
            select substr(tile.hashes, ((v_start & 255) * 32 + 1)::int, 32 << (v_height % 8)) into v_slice
            from pgtrail.tile as tile
            where tile.log_id = _range_hash.log_id
                and tile.level = v_height / 8
                and tile.tile_index = v_start >> 8;
            if octet_length(v_slice) is distinct from 32 << (v_height % 8) then
                raise exception 'the log lacks a part of the tree'
                    using errcode = 'data_corrupted',
                          detail = format('tile %s of level %s', v_start >> 8, v_height / 8),
                          hint = 'Run pgtrail.verify() and restore pgtrail.tile from a backup or from exported tiles.';
            end if;
            v_slice := pgtrail._subtree_hash(v_slice);
            v_hash := case
                when v_hash is null then v_slice
                else sha256('\x01'::bytea || v_slice || v_hash)
            end;
        end if;
        v_rest := v_rest >> 1;
        v_height := v_height + 1;
    end loop;
    return v_hash;
end;
$$;

revoke all on function pgtrail._range_hash from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._range_hash is
    'Returns the hash of the leaves [from_leaf, to_leaf) as RFC 6962, section 2.1, nests them. from_leaf is a '
    'multiple of the largest power of two below the length of the range. Raises XX001 when a tile is missing or too '
    'short.';
