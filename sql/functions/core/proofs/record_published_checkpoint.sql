create or replace function pgtrail.record_published_checkpoint(note text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_body text := split_part(record_published_checkpoint.note, E'\n\n', 1);
    v_lines text[] := string_to_array(v_body, E'\n');
    v_signatures text;
    v_origin text;
    v_root bytea;
begin
    v_signatures := substr(record_published_checkpoint.note, length(v_body) + 3);
    if cardinality(v_lines) < 3
        or v_lines[2] !~ '^(0|[1-9][0-9]{0,17})$'
        or v_lines[3] !~ '^[A-Za-z0-9+/]{43}=$'
        or coalesce(v_signatures, '') !~ '^(— [^\s+]+ [A-Za-z0-9+/]+=*\n)+$'
    then
        raise exception 'malformed signed checkpoint'
            using errcode = 'invalid_text_representation',
                  hint = 'Pass the signed note unchanged (C2SP signed-note over tlog-checkpoint).';
    end if;

    select head.origin into strict v_origin from pgtrail.log as head where head.log_id = 1;
    v_root := decode(v_lines[3], 'base64');
    if v_lines[1] <> v_origin then
        raise exception 'the checkpoint is of another origin'
            using errcode = 'TR003',
                  detail = format('got %s, the log is %s', v_lines[1], v_origin),
                  hint = 'Record it in the database whose log it is.';
    elsif not pgtrail.verify_checkpoint(v_lines[2]::bigint, v_root) then
        raise exception 'the checkpoint does not fit the log'
            using errcode = 'TR003',
                  detail = format('size %s', v_lines[2]),
                  hint = 'The log was rewritten or lost its end. Run pgtrail.verify().';
    end if;

    -- Signatures that are new are added to those that are there.
    insert into pgtrail.published_checkpoint as published (log_id, origin, tree_size, root, note)
    values (1, v_origin, v_lines[2]::bigint, v_root, record_published_checkpoint.note)
    on conflict on constraint published_checkpoint_pkey do update
    set note = published.note || coalesce(
        (
            select string_agg(line.text || E'\n', '' order by line.place)
            from regexp_split_to_table(rtrim(v_signatures, E'\n'), E'\n') with ordinality as line (text, place)
            where position(line.text || E'\n' in published.note) = 0
        ),
        '');
end;
$$;

revoke all on function pgtrail.record_published_checkpoint
    from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.record_published_checkpoint is
    'Keeps a signed checkpoint of the present origin; sent again with more signatures, these are added. The signatures '
    'themselves are checked by who trusts their keys, not here. Raises 22P02 (no signed checkpoint), TR003 (of another '
    'origin, or it does not fit the log).';
