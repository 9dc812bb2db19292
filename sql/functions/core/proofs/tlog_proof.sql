create or replace function pgtrail.tlog_proof(trail regclass, id uuid, signed_checkpoint text)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_size text := split_part(tlog_proof.signed_checkpoint, E'\n', 2);
    v_proof record;
begin
    if (v_size ~ '^(0|[1-9][0-9]{0,17})$') is not true then
        raise exception 'malformed checkpoint'
            using errcode = 'invalid_text_representation',
                  detail = format('its second line is "%s", not a size', v_size),
                  hint = 'Pass the text of a signed checkpoint unchanged (C2SP tlog-checkpoint).';
    end if;
    if split_part(tlog_proof.signed_checkpoint, E'\n', 3)
        is distinct from split_part(pgtrail.checkpoint(v_size::bigint), E'\n', 3)
    then
        raise exception 'the checkpoint does not fit the log'
            using errcode = 'TR003',
                  detail = format('size %s has another root hash', v_size),
                  hint = 'The log was rewritten, or the checkpoint is of another log.';
    end if;
    select proof.* into strict v_proof
    from pgtrail.inclusion_proof(tlog_proof.trail, tlog_proof.id, v_size::bigint) as proof;

    return E'c2sp.org/tlog-proof@v1\nindex ' || v_proof.leaf_index || E'\n'
        || coalesce(
            (
                select string_agg(encode(sibling.hash, 'base64') || E'\n', '' order by sibling.place)
                from unnest(v_proof.hashes) with ordinality as sibling (hash, place)
            ),
            '')
        || E'\n' || tlog_proof.signed_checkpoint;
end;
$$;

revoke all on function pgtrail.tlog_proof from public, anon, authenticated, service_role;
grant execute on function pgtrail.tlog_proof to pgtrail_auditor;
comment on function pgtrail.tlog_proof is
    'Returns the proof of an entry over a signed checkpoint as one text (c2sp.org/tlog-proof@v1). Raises 22P02 (not '
    'a checkpoint), TR003 (it does not fit the log, or the entry does not match it), PT404 (the entry is not in '
    'that tree).';
