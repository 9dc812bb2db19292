create or replace function pgtrail.consistency_proof(from_size bigint, to_size bigint default null)
    returns bytea[]
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_low bigint := 0::bigint;
    v_high bigint;
    v_middle bigint;
    v_whole boolean := true;
    v_hashes bytea[] := '{}'::bytea[];
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    v_high := coalesce(consistency_proof.to_size, v_log.tree_size);
    perform pgtrail._require_tree_size(v_high, v_log.tree_size);
    perform pgtrail._require_tree_size(consistency_proof.from_size, v_high);

    if consistency_proof.from_size in (0, v_high) then
        return v_hashes;
    end if;
    while consistency_proof.from_size < v_high loop
        v_middle := v_low + pgtrail._left_subtree_size(v_high - v_low);
        if consistency_proof.from_size <= v_middle then
            v_hashes := pgtrail._range_hash(v_log.log_id, v_middle, v_high) || v_hashes;
            v_high := v_middle;
        else
            v_hashes := pgtrail._range_hash(v_log.log_id, v_low, v_middle) || v_hashes;
            v_low := v_middle;
            v_whole := false;
        end if;
    end loop;
    return case
        when v_whole then v_hashes
        else pgtrail._range_hash(v_log.log_id, v_low, v_high) || v_hashes
    end;
end;
$$;

revoke all on function pgtrail.consistency_proof from public, anon, authenticated, service_role;
grant execute on function pgtrail.consistency_proof to pgtrail_auditor;
comment on function pgtrail.consistency_proof is
    'Returns PROOF(from_size, D[to_size]) of RFC 6962, section 2.1.2: that the tree of from_size leaves is a prefix '
    'of that of to_size, by default the present one. Empty for from_size 0 and for equal sizes. Raises 22023 for '
    'sizes the tree never had.';
