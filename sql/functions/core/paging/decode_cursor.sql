create or replace function pgtrail.decode_cursor(cursor text, context text)
    returns uuid
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid;
begin
    if decode_cursor.cursor ~ '^[A-Za-z0-9_-]{32}$' then
        v_id := encode(substr(decode(translate(decode_cursor.cursor, '-_', '+/'), 'base64'), 1, 16), 'hex')::uuid;
    end if;

    if v_id is null or pgtrail.encode_cursor(v_id, decode_cursor.context) <> decode_cursor.cursor then
        raise exception 'malformed cursor'
            using errcode = 'invalid_text_representation',
                  detail = 'It was altered, or it belongs to another function, organisation or filter.',
                  hint = 'Pass next_page of the last row unchanged, with the same organisation and filters.';
    end if;

    return v_id;
end;
$$;

revoke all on function pgtrail.decode_cursor from public, anon;
grant execute on function pgtrail.decode_cursor to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.decode_cursor is
    'Returns the id of the entry after which the page begins. Raises 22P02 for a cursor that was altered or '
    'belongs to another context.';
