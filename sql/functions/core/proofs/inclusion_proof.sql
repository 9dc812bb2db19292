create or replace function pgtrail.inclusion_proof(trail regclass, id uuid, tree_size bigint default null)
    returns table (leaf_index bigint, proof_tree_size bigint, hashes bytea[], entry bytea)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_trail text := pgtrail.trail_name(inclusion_proof.trail);
    v_found record;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1;
    proof_tree_size := coalesce(inclusion_proof.tree_size, v_log.tree_size);
    perform pgtrail._require_tree_size(proof_tree_size, v_log.tree_size);

    select found.leaf_index, found.entry, found.sealed into v_found
    from pgtrail._entry_leaf(v_trail, inclusion_proof.id) as found;
    if v_found.leaf_index is null and v_found.sealed then
        raise exception 'the entry is not in the log as it is now'
            using errcode = 'TR003',
                  detail = format('entry %s of %s', inclusion_proof.id, v_trail),
                  hint = 'It was altered, or inserted behind the log. Run pgtrail.verify().';
    elsif v_found.leaf_index is null or v_found.leaf_index >= proof_tree_size then
        raise exception 'the entry is not in a tree of this size'
            using errcode = 'PT404',
                  detail = format('entry %s of %s, tree size %s', inclusion_proof.id, v_trail, proof_tree_size),
                  hint = 'A new entry is sealed within a minute or, while older transactions are open, after them.';
    end if;

    leaf_index := v_found.leaf_index;
    entry := v_found.entry;
    hashes := pgtrail._inclusion_hashes(v_log.log_id, v_found.leaf_index, proof_tree_size);
    return next;
end;
$$;

revoke all on function pgtrail.inclusion_proof from public, anon, authenticated, service_role;
grant execute on function pgtrail.inclusion_proof to pgtrail_auditor;
comment on function pgtrail.inclusion_proof is
    'Returns the proof that an entry is in the tree of a size, by default the present one (RFC 6962, section '
    '2.1.1): index of its leaf, siblings from the leaf up, and the bytes whose hash the leaf is. Raises PT404 (no '
    'such entry, or not in that tree), TR003 (the entry does not match the log), 22023 (no trail, or a size the '
    'tree never had).';
