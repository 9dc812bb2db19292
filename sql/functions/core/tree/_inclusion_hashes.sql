create or replace function pgtrail._inclusion_hashes(log_id int, leaf_index bigint, tree_size bigint)
    returns bytea[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_low bigint := 0::bigint;
    v_high bigint := _inclusion_hashes.tree_size;
    v_middle bigint;
    v_hashes bytea[] := '{}'::bytea[];
begin
    while v_high - v_low > 1 loop
        v_middle := v_low + pgtrail._left_subtree_size(v_high - v_low);
        if _inclusion_hashes.leaf_index < v_middle then
            v_hashes := pgtrail._range_hash(_inclusion_hashes.log_id, v_middle, v_high) || v_hashes;
            v_high := v_middle;
        else
            v_hashes := pgtrail._range_hash(_inclusion_hashes.log_id, v_low, v_middle) || v_hashes;
            v_low := v_middle;
        end if;
    end loop;
    return v_hashes;
end;
$$;

revoke all on function pgtrail._inclusion_hashes from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._inclusion_hashes is
    'Returns PATH(leaf_index, D[tree_size]) of RFC 6962, section 2.1.1: the siblings from the leaf up to the root.';
